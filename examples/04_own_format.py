"""An action format of one's own is a dict, or a JSON file of the same content: two templates, and the texts that their slots never hold.

The format writes ``-> tool: argument`` for an action and ``== answer`` for an answer, after a thought. Every text that its pattern accepts
is read back as it is, and a text that could be read in two ways is found when the format is made. No model is run.

    python examples/04_own_format.py              # needs rellm-agents
"""

from rellm_agents import Action, Finish, own_format
from rellm_agents.errors import FormatError

ARROWS = {
    "name": "arrows",
    "encoding": "text",
    "description": "A thought, then an arrow, a tool and its argument on one line, or two bars and the answer.",
    "action": "{thought}\n-> {tool}: {input}",
    "finish": "{thought}\n== {answer}",
    "slots": {"input": {"banned_regexes": ["\n"], "trimmed": True}},
    "stop": ["\n<-"],
    "instructions": ["{tools}", "Write a thought, then a line: -> TOOL: ARGUMENT, with one of {tool_names}, or == ANSWER"],
}
TOOLS = {
    "search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    "wait": {"type": "object", "properties": {"hours": {"type": "integer", "minimum": 1, "maximum": 24}}, "required": ["hours"]},
}

arrows = own_format(ARROWS, TOOLS)
print(arrows.instructions, arrows.write(Action("wait", "3", thought="Not yet.")), sep="\n\n")
for seed in range(1_000):
    step = arrows.read(arrows.pattern.sample(seed))
    assert arrows.read(arrows.write(step)) == step
try:
    own_format({**ARROWS, "finish": "{thought}\n-> Finish: {answer}"}, TOOLS)
except FormatError as error:
    print(f"\n{error}")
assert arrows.read("Done.\n== 42") == Finish("42", thought="Done.")
