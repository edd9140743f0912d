"""FACE."""

from rellm_agents.formats.response_template.calls import PROBE
from rellm_agents.formats.response_template.declaration import NAME, declaration_of
