"""Why a text was written: which tokens the model chose, and where the pattern decided against it.

Shows ``measure=["trace"]``, the page of a trace, and how to find the places at which a prompt asks for something else than the pattern
allows: there the model's likeliest token was not allowed.

    python examples/09_trace.py      # needs rellm-agents[transformers]; writes trace.html into a temporary folder
"""

import tempfile
from pathlib import Path

from rellm_agents import compile_schema
from rellm_agents.decoding import ConstrainedDecoder, smollm2
from rellm_agents.views import trace_page

SCHEMA = {
    "type": "object",
    "properties": {"capital": {"type": "string", "maxLength": 20}, "continent": {"enum": ["Africa", "Asia", "Europe"]}},
    "required": ["capital", "continent"],
    "additionalProperties": False,
}
PROMPTS = {
    "shows JSON": 'Italy: {"capital": "Rome", "continent": "Europe"}\nChina: {"capital": "Beijing", "continent": "Asia"}\nFrance: ',
    "asks for words": "Tell me a long story about France.\n",
}

decoder, pattern = ConstrainedDecoder(*smollm2()), compile_schema(SCHEMA)
texts = {name: decoder.generate(prompt, pattern, max_new_tokens=40, measure=["full_trace"]) for name, prompt in PROMPTS.items()}
for name, made in texts.items():
    first = made.trace.tokens[0]
    print(f"{name}: {made.text}")
    print(f"  the mask took {first.removed:.0%} of the probability of the first token, {first.data.decode()!r}")
    fought = made.trace.summary()["fought"]
    print(f"  the model wanted {first.best[0].data.decode()!r} there; its likeliest token was not allowed at {fought} places")

page = Path(tempfile.mkdtemp()) / "trace.html"
trace_page(texts.values(), title="France, asked in two ways").save(page)
print(f"{page}: open it in a browser")

assert all(pattern.fullmatch(made.text) for made in texts.values())
assert texts["asks for words"].trace.tokens[0].removed > 0.9
assert texts["shows JSON"].trace.tokens[0].removed < 0.5
assert texts["shows JSON"].trace.summary()["fought"] == 0
assert page.read_text(encoding="utf-8").count("Paris") > 0
