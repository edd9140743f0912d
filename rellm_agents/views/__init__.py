"""What there is to look at: pictures of patterns.

Knows everything below; shows it, and decides nothing. In reading order:

    railroad  the railroad diagram of a pattern

>>> from rellm_agents import compile_regex
>>> "yes" in railroad(compile_regex("yes|no")).svg
True
"""

from rellm_agents.views.railroad import Diagram, railroad

__all__ = ["Diagram", "railroad"]
