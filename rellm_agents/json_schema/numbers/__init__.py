"""FACE."""

from rellm_agents.json_schema.numbers.numbers import Numbers, numbers_node, spelled_once, without_exponents
