"""Sixty small chat templates in the families' manner: which roles they show, in which order, how calls look, what they refuse or drop.

They are written for the tests, not copied: of each family only what a chat can run into is kept.

>>> len(FAMILIES)
60
"""

# ruff: noqa: E501  # a template is easier to read in few lines
from __future__ import annotations

from toys import byte_level_tokenizer

from rellm_agents.langchain.chat.chat_template import ChatTemplate

TURN = "{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}"
PROMPT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
CALL = """{{ '{"name": "' ~ f.name ~ '", "arguments": ' ~ (f.arguments | tojson) ~ '}' }}"""
REFUSE_ORDER = (
    "{% set n = namespace(i=0) %}{% for m in messages if m.role in ['user', 'assistant'] and not m.tool_calls %}"
    "{% if (m.role == 'user') != (n.i % 2 == 0) %}{{ raise_exception('user and assistant must take turns') }}{% endif %}"
    "{% set n.i = n.i + 1 %}{% endfor %}"
)
REFUSE_SYSTEM = "{% for m in messages if m.role == 'system' %}{{ raise_exception('a system role is not supported') }}{% endfor %}"
REFUSE_IDS = (
    "{% for m in messages %}{% for id in ([m.tool_call_id] if m.role == 'tool' else m.tool_calls | default([], true) | map(attribute='id')) %}"
    "{% if id is not defined or id | length != 9 %}{{ raise_exception('call ids have nine characters') }}{% endif %}{% endfor %}{% endfor %}"
)
SYSTEM_FIRST = "{% set s = messages[0].content if messages[0].role == 'system' else '' %}{% set rest = messages[1:] if s else messages %}"
SYSTEM_LAST = "{% set n = namespace(s='') %}{% for m in messages if m.role == 'system' %}{% set n.s = m.content %}{% endfor %}{{ n.s }}"
PARTS = "{% for p in m.content if p.type == 'text' %}{{ p.text }}{% endfor %}"


def loop(body: str, over: str = "messages") -> str:
    return f"{{% for m in {over} %}}{body}{{% endfor %}}"


def by_role(**bodies: str) -> str:
    """What is shown of a message of each role; of others nothing."""
    return "".join(f"{{% if m.role == '{role}' %}}{body}{{% endif %}}" for role, body in bodies.items())


def calls(one: str, between: str = "", before: str = "", after: str = "") -> str:
    """The calls of a message; ``f`` is the function of each, ``c`` the call."""
    one, between, before, after = (
        f"{{{{ '\\n' }}}}{text[1:]}" if text.startswith("\n") else text for text in (one, between, before, after)
    )
    each = f"{{% for c in m.tool_calls %}}{{% set f = c.function %}}{one}{{% if not loop.last %}}{between}{{% endif %}}{{% endfor %}}"
    return f"{{% if m.tool_calls %}}{before}{each}{after}{{% endif %}}"


def defined(before: str = "# Tools\n", after: str = "\n") -> str:
    return f"{{% if tools %}}{before}{{% for t in tools %}}{{{{ t | tojson }}}}\n{{% endfor %}}{after}{{% endif %}}"


def chatml(call: str, between: str = "\n", before: str = "", after: str = "", *, said: str = "{{ m.content }}", then: str = "\n") -> str:
    """Roles between ``<|im_start|>`` and ``<|im_end|>``, with calls and results."""
    shown = calls(call, between, "{{ '" + then.replace("\n", "\\n") + "' if m.content }}" + before, after)
    return (
        defined("<|im_start|>system\n# Tools\n", "<|im_end|>\n")
        + loop(
            by_role(
                system=TURN,
                user=TURN,
                assistant=f"<|im_start|>assistant\n{said}{shown}<|im_end|>\n",
                tool="<|im_start|>user\n<tool_response>\n{{ m.content }}\n</tool_response><|im_end|>\n",
            )
        )
        + PROMPT
    )


def headers(assistant: str, tools: str = defined(), *, call_end: str = "<|eot_id|>", roles: str = "['system', 'user']") -> str:
    """Roles between headers, as Llama 3 has them; what an assistant says is all that follows the header."""
    head = "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    return (
        f"{{{{ bos_token }}}}{tools}"
        + loop(
            f"{{% if m.role in {roles} %}}{head}{{{{ m.content | trim }}}}<|eot_id|>{{% endif %}}"
            + by_role(
                assistant=head + assistant,
                tool="<|start_header_id|>ipython<|end_header_id|>\n\n{{ m.content | tojson }}<|eot_id|>",
            )
        )
        + "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    )


def inst(
    call: str,
    between: str = "",
    before: str = "[TOOL_CALLS] [",
    after: str = "]",
    result: str = "[TOOL_RESULTS] {{ m.content }}[/TOOL_RESULTS]",
) -> str:
    """``[INST]``, system in the first, tools before the last: roles take turns, ids have nine characters, content with calls is dropped."""
    return (
        SYSTEM_FIRST
        + REFUSE_ORDER.replace("in messages", "in rest")
        + REFUSE_IDS
        + "{% set users = rest | selectattr('role', 'equalto', 'user') | list %}{{ bos_token }}"
        + loop(
            "{% if m.role == 'system' %}{{ raise_exception('only user and assistant roles are supported') }}{% endif %}"
            + by_role(
                user="{% if tools and m == users[-1] %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
                "[INST] {% if s and loop.first %}{{ s ~ '\n\n' }}{% endif %}{{ m.content }}[/INST]",
                assistant=f"{{% if m.tool_calls %}}{calls(call, between, before, after)}</s>{{% else %}}{{{{ ' ' ~ m.content }}}}</s>{{% endif %}}",
                tool=result,
            ),
            "rest",
        )
    )


LLAMA_SINGLE = (
    "{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}{{ raise_exception('one call at a time') }}{% endif %}"
    '{% set f = m.tool_calls[0].function %}{"name": "{{ f.name }}", "parameters": {{ f.arguments | tojson }}}'
    "{% else %}{{ m.content | trim }}{% endif %}<|eot_id|>"
)
LLAMA = SYSTEM_FIRST + (
    "{% for m in messages[1:] if m.role == 'system' %}{{ raise_exception('one system message') }}{% endfor %}"
    "{% if tools and not rest %}{{ raise_exception('no user message to put the tools in') }}{% endif %}"
)
TOOLS_OF_LLAMA = defined("<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>")
GPT_OSS = (
    "<|start|>system<|message|>You are a model.<|end|>{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}"
    "<|start|>developer<|message|>{{ messages[0].content }}\n\n{% else %}{% set rest = messages %}<|start|>developer<|message|>{% endif %}"
    + defined("namespace functions {\n", "}")
    + "<|end|>{% set n = namespace(called=false) %}"
    + loop(
        by_role(
            user="<|start|>user<|message|>{{ m.content }}<|end|>",
            assistant="{% if m.tool_calls %}{% set n.called = true %}{% set f = m.tool_calls[0].function %}{% set later = namespace(found=false) %}"
            "{% for o in rest[loop.index:] if o.role == 'assistant' and not o.tool_calls %}{% set later.found = true %}{% endfor %}"
            "{% if m.content and not later.found %}<|start|>assistant<|channel|>analysis<|message|>{{ m.content }}<|end|>{% endif %}"
            "<|start|>assistant to=functions.{{ f.name }}<|channel|>commentary json<|message|>{{ f.arguments | tojson }}<|call|>"
            "{% else %}{% set n.called = false %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{% endif %}",
            tool="{% if not n.called %}{{ raise_exception('a tool result without a call before it') }}{% endif %}"
            "<|start|>functions.{{ m.name }} to=assistant<|channel|>commentary<|message|>{{ m.content | tojson }}<|end|>",
        ),
        "rest",
    )
    + "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
DEEPSEEK_CALL = (
    "<｜tool▁call▁begin｜>{{ c.type }}<｜tool▁sep｜>{{ f.name }}\n```json\n{{ '%s' | replace('%s', f.arguments) }}\n```<｜tool▁call▁end｜>"
)
DEEPSEEK = (
    "{{ bos_token }}"
    + SYSTEM_LAST
    + loop(
        by_role(
            user="<｜User｜>{{ m.content }}",
            assistant="<｜Assistant｜>"
            "{% if m.tool_calls %}"
            + calls(DEEPSEEK_CALL, "\n", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")
            + "{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}<｜end▁of▁sentence｜>",
            tool="<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>",
        )
    )
    + "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
NEMOTRON = (
    SYSTEM_FIRST
    + "<SPECIAL_10>System\n{{ s | replace('/no_think', '') | trim }}\n\n"
    + defined("<AVAILABLE_TOOLS>", "</AVAILABLE_TOOLS>\n\n")
    + loop(
        by_role(
            user="<SPECIAL_11>User\n{{ m.content | trim }}\n",
            assistant="<SPECIAL_11>Assistant\n{{ m.content | trim }}"
            + calls(CALL, ", ", "{{ '\\n\\n' if m.content }}<TOOLCALL>[", "]</TOOLCALL>")
            + "\n<SPECIAL_12>\n\n",
            tool="<SPECIAL_11>User\n<TOOL_RESPONSE>[{{ m.content }}]</TOOL_RESPONSE>\n\n",
        ),
        "rest",
    )
    + "{% if add_generation_prompt %}<SPECIAL_11>Assistant\n<think>\n\n{% endif %}"
)
PARTS_OF_ALL = (
    loop("{{ m.role | capitalize ~ ': ' }}" + PARTS + "<end_of_utterance>\n") + "{% if add_generation_prompt %}Assistant:{% endif %}"
)
COMMAND_TURN = (
    "<|START_OF_TURN_TOKEN|><|{{ {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT', 'tool': 'SYSTEM'}[m.role] }}_TOKEN|>"
)
COMMAND_R7B = (
    defined("<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|># Tools\n", "<|END_OF_TURN_TOKEN|>")
    + "{% set n = namespace(i=0) %}"
    + loop(
        COMMAND_TURN
        + by_role(
            system="{{ m.content }}",
            user="{{ m.content }}",
            assistant="{% if m.tool_calls %}<|START_ACTION|>[\n"
            '{% for c in m.tool_calls %}    {"tool_call_id": "{{ n.i }}", "tool_name": "{{ c.function.name }}", "parameters": '
            "{{ c.function.arguments | tojson }}}{% if not loop.last %},\n{% endif %}{% set n.i = n.i + 1 %}{% endfor %}{{ '\\n' }}]<|END_ACTION|>"
            "{% else %}<|START_RESPONSE|>{{ m.content }}<|END_RESPONSE|>{% endif %}",
            tool='<|START_TOOL_RESULT|>[{"results": {"0": {{ m.content | tojson }}}}]<|END_TOOL_RESULT|>',
        )
        + "<|END_OF_TURN_TOKEN|>"
    )
    + "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"
)
COMMAND_R_PLUS = (
    "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|># Tools\n{% for t in tools %}def {{ t.function.name }}: {{ t | tojson }}\n{% endfor %}<|END_OF_TURN_TOKEN|>"
    + loop(
        COMMAND_TURN
        + by_role(
            system="{{ m.content | trim }}",
            user="{{ m.content | trim }}",
            assistant="{{ m.content | trim }}"
            + calls(
                '    {\n        "tool_name": "{{ f.name }}",\n        "parameters": {{ f.arguments | tojson(indent=4) | indent(8) }}\n    }',
                ",\n",
                "\nAction:\n```json\n[\n",
                "\n]```",
            ),
            tool="<results>\n{{ m.content | trim }}</results>",
        )
        + "<|END_OF_TURN_TOKEN|>"
    )
    + "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"
)
HERMES_TOOL_USE = (
    "<|im_start|>system\nTools: <tools>{% for t in tools %}{{ t | tojson }}\n{% endfor %}</tools><|im_end|>\n"
    + loop(
        "{% if m.role == 'tool' %}{% if m.name is not defined %}{{ raise_exception('a result needs the name of its tool') }}{% endif %}"
        '<|im_start|>tool\n<tool_response>\n{"name": "{{ m.name }}", "content": {{ m.content | tojson }}}\n</tool_response><|im_end|>\n'
        "{% elif m.tool_calls %}<|im_start|>assistant\n"
        + calls(f"<tool_call>\n{CALL}\n</tool_call>", "\n")
        + "<|im_end|>\n{% else %}"
        + TURN
        + "{% endif %}"
    )
    + PROMPT
)
KIMI = (
    defined("<|im_system|>tool_declare<|im_middle|>", "<|im_end|>")
    + loop(
        "<|im_{{ m.role if m.role in ['user', 'assistant'] else 'system' }}|>{{ m.name or m.role }}<|im_middle|>"
        "{% if m.role == 'tool' %}## Return of {{ m.tool_call_id }}\n{% endif %}{{ m.content }}"
        + calls(
            "<|tool_call_begin|>{{ c.id }}<|tool_call_argument_begin|>{{ f.arguments | tojson }}<|tool_call_end|>",
            "",
            "<|tool_calls_section_begin|>",
            "<|tool_calls_section_end|>",
        )
        + "<|im_end|>"
    )
    + "{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}"
)
SEED = (
    SYSTEM_FIRST
    + "<seed:bos>system\n{{ s }}"
    + defined("\nTools:\n", "")
    + "<seed:eos>"
    + loop(
        "<seed:bos>{{ m.role }}{{ '\\n' ~ m.content | trim ~ ('\\n' if m.tool_calls else '') if m.content or not m.tool_calls }}"
        + calls(
            "\n<seed:tool_call>\n<function={{ f.name }}>\n{% for k, v in f.arguments | items %}<parameter={{ k }}>{{ v }}</parameter>\n{% endfor %}"
            "</function>\n</seed:tool_call>"
        )
        + "<seed:eos>",
        "rest",
    )
    + "{% if add_generation_prompt %}<seed:bos>assistant\n{% endif %}"
)
FUNCTIONARY_31 = "{% set code = tools | selectattr('type', 'equalto', 'code_interpreter') | list %}" + headers(
    "{{ m.content }}"
    + calls("<function={{ f.name }}>{{ '' ~ f.arguments | string }}</function>")
    + "{{ '<|eom_id|>' if m.tool_calls else '<|eot_id|>' }}"
)
TEXT_ARGUMENTS = "{% if f.arguments is not string %}{{ raise_exception('arguments are text') }}{% endif %}{{ f.arguments }}"
FUNCTIONARY_32 = headers(
    "{% if m.content %}>>>all\n{{ m.content }}{% endif %}" + calls(f">>>{{{{ f.name }}}}\n{TEXT_ARGUMENTS}") + "<|eot_id|>"
).replace("<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}", "<|start_header_id|>assistant<|end_header_id|>\n\n>>>{% endif %}")
GEMMA = (
    REFUSE_SYSTEM
    + "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA3 = (
    "{% if messages[0].role == 'system' %}{% set s = messages[0].content if messages[0].content is string else messages[0].content[0].text %}"
    "{% set rest = messages[1:] %}{% else %}{% set s = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ s ~ '\n\n' if loop.first and s }}"
    "{% if m.content is string %}{{ m.content | trim }}{% else %}" + PARTS + "{% endif %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
BARE = (
    "{% for c in m.tool_calls %}BEGINcall:{{ c.function.name }}{% raw %}{{% endraw %}{% for k, v in c.function.arguments | items %}"
    "{{ k }}:{% if v is string %}QUOTE{{ v }}QUOTE{% else %}{{ v | tojson }}{% endif %}{{ ',' if not loop.last }}{% endfor %}{% raw %}}{% endraw %}END{% endfor %}"
)


def bare(begin: str, end: str, quote: str, turn: str) -> str:
    """As the later Gemmas call."""
    shown = "{% if m.tool_calls %}" + BARE.replace("BEGIN", begin).replace("END", end).replace("QUOTE", quote) + "{% endif %}"
    return (
        defined(turn + "developer\n")
        + loop(turn + "{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}" + shown + "<end>\n")
        + turn
        + "model\n"
    )


VICUNA = SYSTEM_FIRST + (
    "{{ s or 'A chat.' }} {% for m in rest %}{% if m.role == 'user' %}USER: {{ m.content }} {% elif m.role == 'assistant' %}ASSISTANT: {{ m.content }}</s>"
    "{% else %}{{ raise_exception('no such role') }}{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
FAMILIES: dict[str, str] = {
    # those that know no tools
    "chatml": loop(TURN) + PROMPT,
    "chatml with a default system message": "{% if messages[0].role != 'system' %}<|im_start|>system\nBe helpful.<|im_end|>\n{% endif %}"
    + loop(TURN)
    + PROMPT,
    "chatml, trimmed": loop(TURN.replace("m.content", "(m.content | trim)")) + PROMPT,
    "zephyr": loop("<|{{ m.role }}|>\n{{ m.content }}</s>\n") + "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    "vicuna": VICUNA,
    "alpaca": loop(
        by_role(system="{{ m.content }}\n\n", user="### Instruction:\n{{ m.content }}\n\n", assistant="### Response:\n{{ m.content }}\n\n")
    )
    + "### Response:\n",
    "llama 2": SYSTEM_FIRST
    + REFUSE_ORDER.replace("in messages", "in rest")
    + loop(
        by_role(
            user="{{ bos_token }}[INST] {% if s and loop.first %}<<SYS>>\n{{ s }}\n<</SYS>>\n\n{% endif %}{{ m.content | trim }} [/INST]",
            assistant=" {{ m.content | trim }} </s>",
        ),
        "rest",
    ),
    "llama 3": loop("<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>")
    + "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral 7b 0.1": REFUSE_SYSTEM + REFUSE_ORDER + loop(by_role(user="[INST] {{ m.content }} [/INST]", assistant="{{ m.content }}</s>")),
    "mixtral": SYSTEM_FIRST
    + REFUSE_ORDER.replace("in messages", "in rest")
    + loop(by_role(user="[INST] {{ s ~ '\n' if loop.first and s }}{{ m.content }} [/INST]", assistant="{{ m.content }}</s>"), "rest"),
    "gemma": GEMMA,
    "gemma 3": GEMMA3,
    "phi 3": loop("<|{{ m.role }}|>\n{{ m.content }}<|end|>\n") + "<|assistant|>\n",
    "phi 3, users and assistants only": loop(
        by_role(user="<|user|>\n{{ m.content }}<|end|>\n<|assistant|>\n", assistant="{{ m.content }}<|end|>\n")
    ),
    "falcon": loop("{{ m.role | capitalize }}: {{ m.content | trim }}\n\n") + "Assistant:",
    "solar": loop(
        by_role(
            system="### System:\n{{ m.content }}\n\n",
            user="### User:\n{{ m.content }}\n\n",
            assistant="### Assistant:\n{{ m.content }}\n\n",
        )
    )
    + "### Assistant:\n",
    "openchat": loop("GPT4 Correct {{ m.role | title }}: {{ m.content }}<|end_of_turn|>") + "GPT4 Correct Assistant:",
    "deepseek llm": loop(
        by_role(system="{{ m.content }}\n\n", user="User: {{ m.content }}\n\n", assistant="Assistant: {{ m.content }}</s>")
    )
    + "Assistant:",
    "deepseek coder": SYSTEM_LAST
    + loop(by_role(user="### Instruction:\n{{ m.content }}\n", assistant="### Response:\n{{ m.content }}\n<|EOT|>\n"))
    + "### Response:\n",
    "exaone": loop("[|{{ m.role }}|]{{ m.content }}{{ '[|endofturn|]' if m.role != 'user' }}\n") + "[|assistant|]",
    "internlm": loop(TURN.replace("<|im_start|>", "<|im_start|> ")) + PROMPT.replace("<|im_start|>", "<|im_start|> "),
    "olmo 2": loop("<|{{ m.role }}|>\n{{ m.content }}\n") + "<|assistant|>\n",
    "granite code": loop("{{ {'system': 'System', 'user': 'Question', 'assistant': 'Answer'}[m.role] }}:\n{{ m.content }}\n\n")
    + "Answer:\n",
    "aya": SYSTEM_FIRST
    + REFUSE_ORDER.replace("in messages", "in rest")
    + "{{ s }}"
    + loop(COMMAND_TURN + "{{ m.content | trim }}<|END_OF_TURN_TOKEN|>", "rest")
    + "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    "idefics 3": PARTS_OF_ALL,
    "llava next": loop(
        "{% if m.role == 'assistant' %}<|im_start|>assistant\n"
        + PARTS
        + "<|im_end|>{% else %}<|im_start|>{{ m.role }}\n"
        + PARTS
        + "<|im_end|>{% endif %}"
    )
    + PROMPT,
    "llava, parts of users only": loop(
        "{% if m.role == 'user' %}USER: " + PARTS + "{% else %}{{ m.role | upper }}: {{ m.content }}{% endif %}\n"
    )
    + "ASSISTANT:",
    "qwen3 vl": SYSTEM_FIRST
    + "{% if s or tools %}<|im_start|>system\n{{ s }}"
    + defined("\n# Tools\n", "")
    + "<|im_end|>\n{% endif %}"
    + loop(
        by_role(
            user=TURN,
            assistant="<|im_start|>assistant\n{{ m.content }}"
            + calls(f"<tool_call>\n{CALL}\n</tool_call>", "\n", "{{ '\\n' if m.content }}")
            + "<|im_end|>\n",
            tool="<|im_start|>user\n<tool_response>\n{{ m.content }}\n</tool_response><|im_end|>\n",
        ),
        "rest",
    )
    + PROMPT,
    # those that show tools in a way that is declared
    "qwen 2.5": chatml(f"<tool_call>\n{CALL}\n</tool_call>"),
    "qwen 3, thinking": chatml(f"<tool_call>\n{CALL}\n</tool_call>") + "<think>\n",
    "hermes 2 pro, tool_use": HERMES_TOOL_USE,
    "granite 4": chatml(f"<tool_call>\n{CALL}\n</tool_call>").replace("im_start|>", "start_of_role|>").replace("im_end", "end_of_text"),
    "qwen 3 coder": chatml(
        "<tool_call>\n<function={{ f.name }}>\n{% for k, v in f.arguments | items %}<parameter={{ k }}>\n{{ v }}\n</parameter>\n{% endfor %}</function>\n</tool_call>",
        then="\n\n",
    ),
    "llama 3.1": LLAMA + TOOLS_OF_LLAMA + headers(LLAMA_SINGLE, ""),
    "llama 3.3": LLAMA + headers(LLAMA_SINGLE, TOOLS_OF_LLAMA, roles="['user', 'system']"),
    "llama 4": SYSTEM_FIRST
    + TOOLS_OF_LLAMA
    + headers(
        "{{ m.content }}"
        + calls(
            "{{ f.name }}({% for k, v in f.arguments | items %}{{ k }}={{ v | tojson }}{{ ', ' if not loop.last }}{% endfor %})",
            ", ",
            "[",
            "]",
        )
        + "<|eot_id|>",
        "",
    ),
    "mistral 7b 0.3": inst("""{{ (f | tojson)[:-1] ~ ', "id": "' ~ c.id ~ '"}' }}""", ", "),
    "mistral nemo": inst(
        """{{ '{"name": "' ~ f.name ~ '", "arguments": ' ~ (f.arguments | tojson) ~ ', "id": "' ~ c.id ~ '"}' }}""",
        ", ",
        before="[TOOL_CALLS][",
    ),
    "devstral": inst("[TOOL_CALLS]{{ f.name }}[ARGS]{{ f.arguments | tojson }}", before="", after=""),
    "nemotron nano 2": NEMOTRON,
    "gpt-oss": GPT_OSS,
    "deepseek r1 distill": DEEPSEEK.replace(
        DEEPSEEK_CALL, DEEPSEEK_CALL.replace("{{ '%s' | replace('%s', f.arguments) }}", TEXT_ARGUMENTS)
    ),
    "deepseek v3.1": loop(
        by_role(
            system="{{ m.content }}",
            user="<｜User｜>{{ m.content }}",
            assistant="<｜Assistant｜></think>{{ m.content }}"
            + calls(
                "<｜tool▁call▁begin｜>{{ f.name }}<｜tool▁sep｜>{{ f.arguments | tojson }}<｜tool▁call▁end｜>",
                "",
                "<｜tool▁calls▁begin｜>",
                "<｜tool▁calls▁end｜>",
            )
            + "<｜end▁of▁sentence｜>",
            tool="<｜tool▁output▁begin｜>{{ m.content }}<｜tool▁output▁end｜>",
        )
    )
    + "<｜Assistant｜></think>",
    "granite 3.1": chatml(CALL, ", ", "<tool_call>[", "]", said="{{ m.content if not m.tool_calls }}", then=""),
    "phi 4 mini": defined("<|system|>", "<|end|>")
    + loop("<|{{ m.role }}|>{{ m.content if not m.tool_calls }}" + calls(CALL, ", ", "functools[", "]") + "<|end|>")
    + "<|assistant|>",
    "glm 4.5": defined()
    + loop(
        "<|{{ m.role if m.role != 'tool' else 'observation' }}|>{{ '\\n' ~ m.content if m.content or not m.tool_calls }}"
        + calls(
            "\n<tool_call>{{ f.name }}\n{% for k, v in f.arguments | items %}<arg_key>{{ k }}</arg_key>\n<arg_value>{{ v }}</arg_value>\n{% endfor %}</tool_call>"
        )
    )
    + "<|assistant|>",
    "minimax m2": defined()
    + loop(
        "]~b]{{ 'ai' if m.role == 'assistant' else m.role }}{{ '\\n' ~ m.content if m.content or not m.tool_calls }}"
        + calls(
            '<invoke name="{{ f.name }}">\n{% for k, v in f.arguments | items %}<parameter name="{{ k }}">{{ v }}</parameter>\n{% endfor %}</invoke>',
            "\n",
            "\n<minimax:tool_call>\n",
            "\n</minimax:tool_call>",
        )
        + "[e~[\n"
    )
    + "]~b]ai",
    "lfm 2": chatml(
        "{{ f.name }}({% for k, v in f.arguments | items %}{{ k }}={{ v | tojson }}{{ ', ' if not loop.last }}{% endfor %})",
        ", ",
        "<|tool_call_start|>[",
        "]<|tool_call_end|>",
        then="",
    ),
    "gemma 4": bare("<|tool_call>", "<tool_call|>", '<|"|>', "<|turn>"),
    "functiongemma": bare("<start_function_call>", "<end_function_call>", "<escape>", "<start_of_turn>"),
    # those that show calls in a way for which there was no declaration
    "mistral small 3.2": inst(
        "[TOOL_CALLS]{{ f.name }}[CALL_ID]{{ c.id }}[ARGS]{{ f.arguments | tojson }}",
        before="",
        after="",
        result="[TOOL_RESULTS]{{ m.tool_call_id }}[TOOL_CONTENT]{{ m.content }}[/TOOL_RESULTS]",
    ),
    "kimi k2": KIMI,
    "seed-oss": SEED,
    "command r+": COMMAND_R_PLUS,
    "command r7b": COMMAND_R7B,
    "functionary 3.1": FUNCTIONARY_31.replace("{{ '' ~ f.arguments | string }}", TEXT_ARGUMENTS),
    "functionary 3.2": FUNCTIONARY_32,
    "a family of its own": chatml("<<{{ f.name }}>>\n{{ f.arguments | tojson }}\n<<end>>", "", said="{{ m.content }}"),
    "a list of its own": chatml('{"function": "{{ f.name }}", "inputs": {{ f.arguments | tojson }}}', ",", "CALLS: [", "] END"),
    "a call in no order": chatml('{{ {"args": f.arguments, "fn": f.name} | tojson }}', "", "@@", "@@"),
}


def family_template(name: str) -> ChatTemplate:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    return ChatTemplate(tokenizer, text=FAMILIES[name])
