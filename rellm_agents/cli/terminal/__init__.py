"""What all commands share: files and standard input, errors and exit status, progress, names that the shell completes.

Knows nothing of schemas and models. In reading order:

    inputs      files, folders and standard input, and what is wrong with them
    ending      an error as one line or one JSON value, and the exit status
    progress    what takes long, on standard error, where that is a terminal
    completion  names that begin as what was typed
    wrong_use   a command that was used wrongly, likewise in one line
"""

from rellm_agents.cli.terminal.completion import files_of_name, formats_of_name
from rellm_agents.cli.terminal.ending import ended, error_of, one_line, said_of
from rellm_agents.cli.terminal.inputs import (
    STANDARD_INPUT,
    check_writable,
    data_lines,
    files_of,
    json_of,
    schema_of,
    text_of,
    write_text,
)
from rellm_agents.cli.terminal.progress import each, working
from rellm_agents.cli.terminal.wrong_use import Commands
