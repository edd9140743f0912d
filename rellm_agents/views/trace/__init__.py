"""The trace of a text as a page: which tokens were chosen and which forced, what the model wanted, and what the mask left of it.

Knows what a trace is, and nothing of how a text is written. In reading order:

    trace_data   a trace as plain JSON values
    html_page    one HTML file that shows them, of ``page.html``, ``trace.css`` and ``trace.js``
"""

from rellm_agents.views.trace.html_page import TracePage, asset_script, asset_style, embedded_json, trace_page
from rellm_agents.views.trace.trace_data import text_data, token_data
