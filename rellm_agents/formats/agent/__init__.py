"""FACE."""

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.chat import chat
from rellm_agents.formats.agent.conversational import conversational
from rellm_agents.formats.agent.conversational_chat import conversational_chat
from rellm_agents.formats.agent.docstore import docstore
from rellm_agents.formats.agent.json_action import json_action
from rellm_agents.formats.agent.mrkl import mrkl
from rellm_agents.formats.agent.react import react
from rellm_agents.formats.agent.react_json import react_json
from rellm_agents.formats.agent.self_ask import self_ask
from rellm_agents.formats.agent.steps import Action, Finish, Step
from rellm_agents.formats.agent.structured_chat import structured_chat
from rellm_agents.formats.agent.template_format import own_format
from rellm_agents.formats.agent.xml import xml
