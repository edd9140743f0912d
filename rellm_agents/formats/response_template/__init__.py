"""Response templates of transformers 5: a message format made of what a tokenizer says of how its model's messages are read.

Knows nothing of transformers: a template is data, described in ``schemas/response-template.schema.json``. In reading order:

    delimiter_regex  a delimiter that is given by a regex
    call_content     the text of a call between its delimiters
    calls            the field of tool calls
    declaration      all fields: the declaration of a message format
"""

from rellm_agents.formats.response_template.calls import PROBE_CALL
from rellm_agents.formats.response_template.declaration import FORMAT_NAME, declaration_of
