"""Serves one local model in the shapes of OpenAI's API: every tool call and typed answer is valid, as everywhere in this package.

A thin translation: requests become messages and options of ``ChatRELLM`` and ``RELLM``, and what these write becomes bodies and events.
Nothing that would change an answer is accepted and ignored. Knows LangChain's room and what is below it. Needs the extra ``serve``. In
reading order:

    settings       what a server allows
    refusals       why a request gets no answer, in the shape of an error of the API
    reading/       a request -> options; the table of all fields
    shapes         messages and texts -> bodies
    event_stream   bodies while they are written; clients that go away
    admission      how much is done at once
    metrics        what was done, for Prometheus
    writing        the texts of a request
    playground/    a page on which patterns are tried
    access         who is let in, and the line in the log
    application    all paths
    running        the model and the port
"""

from rellm_agents.requirements import require

require("starlette", "uvicorn", "prometheus_client", "langchain_core", "torch", "transformers", extra="serve", purpose="the server")

from rellm_agents.serving.server.application import make_application
from rellm_agents.serving.server.running import application_of, name_of, run
from rellm_agents.serving.server.settings import ServerSettings
