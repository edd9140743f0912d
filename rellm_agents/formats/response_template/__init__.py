"""FACE."""

from rellm_agents.formats.response_template.calls import PROBE_CALL
from rellm_agents.formats.response_template.declaration import FORMAT_NAME, declaration_of
