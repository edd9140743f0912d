"""The declaration of a message format, derived from examples of its texts: what differs between two of them is a slot, what stays is not.

Knows nothing of chat templates: examples are texts, as a template shows them. In reading order:

    text_pieces           delimiters cut where two texts part, never within a tag
    argument_pieces       how the arguments of an example are written
    declaration           the declaration, proved by reading every example back
"""

from rellm_agents.formats.derivation.declaration import EXAMPLES, FORMAT_NAME, derived_declaration
from rellm_agents.formats.derivation.text_pieces import common_end, common_start
