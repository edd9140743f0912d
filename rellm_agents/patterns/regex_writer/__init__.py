"""FACE."""

from rellm_agents.patterns.regex_writer.rust import write_rust_regex
from rellm_agents.patterns.regex_writer.writer import write_regex
