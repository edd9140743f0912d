"""The command ``rellm-agents``: what a schema or format allows, and models that write under it, from a terminal.

Knows options and files; what a command does is in the rooms below it. In reading order:

    terminal/         files, errors, progress, completion: what all commands share
    sources           the pattern of a schema, a regex, or a format with tools
    schemas           what is found out about a schema
    writing           what a model writes under a pattern
    tools_file        the tools of an agent, from a Python file
    conversation      an agent that talks in the terminal
    model_formats     which formats there are, and which a model speaks
    mask_times        what the masks of a pattern cost
    pattern_commands  ``check``, ``regex``
    model_commands    ``generate``, ``demo``
    server_commands   ``serve``, ``playground``
    agent_commands    ``agent``, ``formats``, ``bench``
    application       the command as a whole

The exit status is 0 if all is right, 1 if something does not fit or is not supported, 2 if the command was used wrongly.
"""

from rellm_agents.cli.application import application, main

__all__ = ["application", "main"]
