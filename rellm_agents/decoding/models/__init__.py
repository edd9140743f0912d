"""FACE."""

from rellm_agents.decoding.models.smollm2 import smollm2
