"""A model family that writes tool calls in a way of its own is a declaration: how a call is written, and what content never holds.

Shows both ways to have tool calls of such a family. If the tokenizer's chat template shows calls, the declaration is derived from it. If it
shows none, ``message_format=`` takes one of yours. A declaration whose messages could be read in two ways is refused when it is read.

    python examples/05_own_model_family.py        # needs rellm-agents[langchain]
"""

import copy

from rellm_agents.decoding import smollm2
from rellm_agents.errors import FormatError
from rellm_agents.formats import message_format
from rellm_agents.langchain import ChatRELLM

FERRY = {
    "name": "ferry",
    "description": "A call on one line, between two pairs of angle brackets.",
    "call": "<<call {name} {arguments}>>",
    "slots": {"content": {"trimmed": True, "not_empty": True}},
    "instructions": ["{tools_introduction}", "{tools}", "To call one, write one line like this one:", "{call_example}", "{call_or_answer}"],
    "result": "<<result\n{content}\n>>",
}
SHOWS_CALLS = """{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% for call in message.tool_calls or [] %}{{ "[[" + call.function.name + "]] " }}{{ call.function.arguments | tojson }}
[[end]]{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def set_alarm(hour: int, minute: int) -> str:
    """Set an alarm."""
    return f"{hour:02}:{minute:02}"


model, tokenizer = smollm2()
of_the_family = copy.deepcopy(tokenizer)
of_the_family.chat_template = SHOWS_CALLS
declared = ChatRELLM(model=model, tokenizer=tokenizer, message_format=FERRY, max_tokens=60)
derived = ChatRELLM(model=model, tokenizer=of_the_family, max_tokens=60)
print(derived.native_format.name, derived.native_format.declaration["call"], sep=": ")

EXAMPLES = [("Wake me at 5:20.", {"name": "set_alarm", "args": {"hour": 5, "minute": 20}})]
for chat in (declared, derived):
    (call,) = chat.bind_tools([set_alarm], tool_choice="any", examples=EXAMPLES).invoke("Wake me at 7:45.").tool_calls
    print(call["name"], call["args"])
    assert call["name"] == "set_alarm"
    assert call["args"] == {"hour": 7, "minute": 45}

try:
    message_format({**FERRY, "call": "{name} {arguments}"})  # a sentence may begin so
except FormatError as error:
    print(error)
    refused = error
assert "no delimiter begins a call" in str(refused)
