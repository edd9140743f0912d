"""A node as regex text: in the dialect of the ``regex`` module, linear in the node, or in that of Rust's ``regex``.

Knows nothing of tokens. In reading order:

    utf8_boundaries  refuses complements that split a character between them
    writer           text for the ``regex`` module, with named groups and lookaround
    rust             text without lookaround and recursion
"""

from rellm_agents.patterns.regex_writer.rust import write_rust_regex
from rellm_agents.patterns.regex_writer.writer import write_regex
