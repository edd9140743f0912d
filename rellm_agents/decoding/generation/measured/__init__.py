"""What is known of a text once it is written: the text itself, and, where it was asked for, how each of its tokens came about.

Knows nothing of how a token is chosen. In reading order:

    trace          how each token came about, and what the model wanted there
    measurements   how probable tokens and values are, measured in the passes that are made anyway
    completion     the record of a finished text
    traced_run     the texts that are written while something else runs
"""

from rellm_agents.decoding.generation.measured.completion import Completion, Finish
from rellm_agents.decoding.generation.measured.measurements import (
    MAX_LIKELIEST,
    Choice,
    LogProbability,
    Measurements,
    TokenLogprobs,
)
from rellm_agents.decoding.generation.measured.trace import Candidate, Origin, Trace, TracedToken
from rellm_agents.decoding.generation.measured.traced_run import TracedRun, TracedText, open_runs, traced_by, tracing
