"""The command ``rellm-agents``: what a schema or format allows, and models that write under it, from a terminal.

Knows options and files; what a command does is in the rooms below it. In reading order:

    inputs            files, folders and standard input, and what is wrong with them
    sources           the pattern of a schema, a regex, or a format with tools
    schemas           what is found out about a schema
    writing           what a model writes under a pattern
    ending            an error as one line or one JSON value, and the exit status
    pattern_commands  ``check``, ``regex``
    model_commands    ``generate``, ``demo``, ``serve``
    application       the command as a whole

The exit status is 0 if all is right, 1 if something does not fit or is not supported, 2 if the command was used wrongly.
"""

from rellm_agents.cli.application import application, main

__all__ = ["application", "main"]
