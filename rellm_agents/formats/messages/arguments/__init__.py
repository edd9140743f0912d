"""Styles of a tool call's arguments: how they are written, as a pattern and as text, and how they are read, also half written.

A style is chosen by the declaration of a message format. Knows nothing of the text around a call's arguments, but for the delimiter that
ends them. In reading order:

    declared_arguments   a tool's arguments one by one, for styles that write each by its name
    type_coercion        readers that go by the types that a schema names
    json_arguments       a JSON object
    tagged_arguments     each argument between delimiters, strings without quotes
    python_arguments     keywords of a call in Python
    bare_arguments       JSON with other quotes, and names without any
    argument_styles      what a style can do, and the style of a declaration
"""

from rellm_agents.formats.messages.arguments.argument_styles import ArgumentStyle, argument_style
from rellm_agents.formats.messages.arguments.declared_arguments import USE_HERMES
from rellm_agents.formats.messages.arguments.python_arguments import is_python_name
