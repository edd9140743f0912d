"""Texts of a pattern: a shortest one, and random ones.

Knows nothing of regex text and of tokens. In reading order:

    shortest    shortest texts and their lengths, also where a capture excludes texts
    sampler     random texts
"""

from rellm_agents.patterns.sampling.sampler import sample_text
from rellm_agents.patterns.sampling.shortest import shortest_length, shortest_text
