"""A local page on which a pattern is looked at and tried: its regex, its railroad diagram, sample texts, and a model that writes it.

Is served beside the API's paths where the settings say so, to this machine alone. In reading order:

    source       what was typed -> a pattern; where in it an error is
    picture      a pattern -> what is shown of it
    live_trace   the tokens of a text while a model writes it
    routes       the paths, and the page of ``page.html``, ``playground.css`` and ``playground.js``
"""

from rellm_agents.serving.server.playground.routes import PlaygroundPaths
