"""Requests to servers of other projects that are held to a pattern, and answers of theirs that are checked: nothing is taken on trust.

    request = request_for(json_action(tools), "vllm")
    chain = prompt | request.over(ChatOpenAI(base_url=..., model=...))

Imports neither torch nor transformers; parsers need ``langchain-core``. In reading order:

    servers    what each server calls its constraints, and what it takes
    sources    what is asked for as a pattern, and what a text of it means
    answers    the text, and why it ended, in answers of the ``openai`` client and of LangChain
    checking   whether a text is one of the pattern, also while it comes
    request    ``request_for``: from a pattern, format, schema or type to the options of a call
    parser     the parser of a chain: checks a message, and hands it to the parser of its format or schema
    checked_calls  a middleware for agents on such a server
    failures   errors of clients, as errors of this package
"""

from rellm_agents.serving.client.answers import text_of
from rellm_agents.serving.client.checking import Checking
from rellm_agents.serving.client.request import RemoteRequest, request_for
from rellm_agents.serving.client.servers import Server
from rellm_agents.serving.client.sources import pattern_of, value_of

__all__ = ["RemoteRequest", "Server", "request_for"]
