"""What there is to look at: pictures of patterns, and the traces of texts.

Knows everything below; shows it, and decides nothing. In reading order:

    diagrams  the railroad diagram of a pattern
    trace     how the tokens of a text came about, as a page

>>> from rellm_agents import compile_regex
>>> "yes" in railroad(compile_regex("yes|no")).svg
True
"""

from rellm_agents.views.diagrams import Diagram, railroad
from rellm_agents.views.trace import TracePage, trace_page

__all__ = ["Diagram", "TracePage", "railroad", "trace_page"]
