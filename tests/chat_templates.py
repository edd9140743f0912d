"""Chat templates of all kinds: that show tools in the way of each family, that know no tools, that refuse system messages or want turns."""

from __future__ import annotations

from toys import byte_level_tokenizer

from rellm_agents.langchain.chat.chat_template import ChatTemplate

TURNS = """{%- for tool in tools or [] %}{{ tool | tojson }}{% endfor %}
{%- for message in messages %}
    {{- '<' + message.role + '>' + message.content }}
    {%- if message.tool_calls %}{{ before }}{% endif %}
    {%- for call in message.tool_calls or [] %}
        {%- set name, arguments = call.function.name, call.function.arguments %}
        {{- between if not loop.first else '' }}CALL
    {%- endfor %}
    {%- if message.tool_calls %}{{ after }}{% endif %}
{%- endfor %}"""
OBJECT = """{{ '{"name": "' + name + '", "arguments": ' + (arguments | tojson) + '}' }}"""
BARE = (
    "{0}call:{{{{ name }}}}{{{{ '{{' }}}}{{% for key, value in arguments | items %}}"
    "{{{{ key }}}}:QUOTE{{{{ value }}}}QUOTE{{% endfor %}}{{{{ '}}' }}}}{1}"
)

DSML = (
    '<｜DSML｜invoke name="{{ name }}">\n{% for key, value in arguments | items %}'
    "<｜DSML｜parameter name=\"{{ key }}\" string=\"{{ 'true' if value is string else 'false' }}\">"
    "{{ value if value is string else value | tojson }}</｜DSML｜parameter>\n{% endfor %}</｜DSML｜invoke>"
)

KEYWORDS = "{{ name }}({% for key, value in arguments | items %}{{ key }}={{ value | tojson }}{{ ', ' if not loop.last }}{% endfor %})"
PAIRS = "{%% for key, value in arguments | items %%}<arg_key>{{ key }}</arg_key>%s<arg_value>{{ value }}</arg_value>%s{%% endfor %%}"

CALLS = {
    "hermes": ("", f"<tool_call>\n{OBJECT}\n</tool_call>", ""),
    "llama3_json": ("", OBJECT.replace('arguments"', 'parameters"'), ""),
    "llama3_python_tag": ("<|python_tag|>", KEYWORDS.replace("}}(", "}}.call("), ""),
    "mistral": ("[TOOL_CALLS] [", OBJECT, "]"),
    "mistral_id": ("[TOOL_CALLS] [", OBJECT.replace("'}'", "', \"id\": \"' + call.id + '\"}'"), "]"),
    "mistral_nemo": ("[TOOL_CALLS][", OBJECT.replace("'}'", "', \"id\": \"' + call.id + '\"}'"), "]"),
    "mistral_args": ("", "[TOOL_CALLS]{{ name }}[ARGS]{{ arguments | tojson }}", ""),
    "mistral_name": ("", "[TOOL_CALLS]{{ name }}{{ arguments | tojson }}", ""),
    "granite": ("<|tool_call|>[", OBJECT, "]"),
    "granite31": ("<tool_call>[", OBJECT, "]"),
    "phi4": ("functools[", OBJECT, "]"),
    "deepseek_v3": (
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ name }}\n```json\n{{ arguments | tojson }}\n```<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
    ),
    "deepseek_v3, arguments as text": (
        "<｜tool▁calls▁begin｜>",
        "{{ '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + name + '\n```json\n' + arguments + '\n```<｜tool▁call▁end｜>' }}",
        "<｜tool▁calls▁end｜>",
    ),
    "deepseek_v31": (
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>{{ name }}<｜tool▁sep｜>{{ arguments | tojson }}<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
    ),
    "deepseek_v32": ("{{ '<｜DSML｜function_calls>\n' }}", DSML, "{{ '\n</｜DSML｜function_calls>' }}"),
    "deepseek_v4": ("{{ '<｜DSML｜tool_calls>\n' }}", DSML, "{{ '\n</｜DSML｜tool_calls>' }}"),
    "qwen3_coder": (
        "",
        (
            "<tool_call>\n<function={{ name }}>\n{% for key, value in arguments | items %}"
            "<parameter={{ key }}>\n{{ value }}\n</parameter>\n{% endfor %}</function>\n</tool_call>"
        ),
        "",
    ),
    "pythonic": ("[", KEYWORDS, "]"),
    "lfm2": ("<|tool_call_start|>[", KEYWORDS, "]<|tool_call_end|>"),
    "lfm2, in other quotes": (
        "<|tool_call_start|>[",
        KEYWORDS.replace("{{ value | tojson }}", '{{ "\'" + value + "\'" }}'),
        "]<|tool_call_end|>",
    ),
    "olmo3": ("<function_calls>", KEYWORDS, "</function_calls>"),
    "glm45": ("", f"{{{{ '\n<tool_call>' + name }}}}\n{PAIRS}</tool_call>" % ("\n", "\n"), ""),
    "glm47": ("", f"<tool_call>{{{{ name }}}}{PAIRS}</tool_call>" % ("", ""), ""),
    "minimax_m2": (
        "{{ '\n<minimax:tool_call>\n' }}",
        (
            '<invoke name="{{ name }}">\n{% for key, value in arguments | items %}'
            '<parameter name="{{ key }}">{{ value }}</parameter>\n{% endfor %}</invoke>'
        ),
        "{{ '\\n</minimax:tool_call>' }}",
    ),
    "nemotron": ("<TOOLCALL>[", OBJECT, "]</TOOLCALL>"),
    "harmony": (
        "",
        "<|channel|>commentary to=functions.{{ name }} <|constrain|>json<|message|>{{ arguments | tojson }}<|call|>",
        "",
    ),
    "gemma4": ("", BARE.replace("QUOTE", '<|"|>').format("<|tool_call>", "<tool_call|>"), ""),
    "functiongemma": ("", BARE.replace("QUOTE", "<escape>").format("<start_function_call>", "<end_function_call>"), ""),
    "mistral_call_id": ("", "[TOOL_CALLS]{{ name }}[CALL_ID]{{ call.id }}[ARGS]{{ arguments | tojson }}", ""),
    "kimi_k2": (
        "<|tool_calls_section_begin|>",
        "<|tool_call_begin|>{{ call.id }}<|tool_call_argument_begin|>{{ arguments | tojson }}<|tool_call_end|>",
        "<|tool_calls_section_end|>",
    ),
    "seed_oss": (
        "",
        (
            "<seed:tool_call>\n<function={{ name }}>\n{% for key, value in arguments | items %}"
            "<parameter={{ key }}>{{ value }}</parameter>\n{% endfor %}</function>\n</seed:tool_call>"
        ),
        "",
    ),
    "command_r7b": (
        "{{ '<|START_ACTION|>[\\n    ' }}",
        """{{ '{"tool_call_id": "' ~ loop.index0 ~ '", "tool_name": "' + name + '", "parameters": ' + (arguments | tojson) + '}' }}""",
        "{{ '\\n]<|END_ACTION|>' }}",
    ),
    "functionary31": ("", "<function={{ name }}>{{ arguments | tojson }}</function>", ""),
    "harmony, as told": (
        "<|start|>assistant to=functions.",
        "{{ name }}<|channel|>commentary json<|message|>{{ arguments | tojson }}<|call|>",
        "",
    ),
}


def template(way, turns=TURNS):
    before, call, after = CALLS[way]
    text = turns.replace("CALL", call).replace("{{ before }}", before).replace("{{ after }}", after)
    return ChatTemplate(byte_level_tokenizer(), text=text)


STRICT = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('in turns') }}{% endif %}"
    "[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}[assistant] "
)
