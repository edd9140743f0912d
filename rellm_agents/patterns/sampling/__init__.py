"""FACE."""

from rellm_agents.patterns.sampling.sampler import sample_text, shortest_data, shortest_text
