"""What there is to look at: the trace of a text.

Knows everything below; shows it, and decides nothing. In reading order:

    trace     how the tokens of a text came about, as a page
"""

from rellm_agents.views.trace import TracePage, trace_page

__all__ = ["TracePage", "trace_page"]
