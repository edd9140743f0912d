"""Texts of patterns, written by a transformers model: the decode loop, and the three ways to run it.

The loop asks masks which tokens may come next, the spelling which of them the tokenizer would write, and the forward passes for scores.
Knows neither how a mask is found nor how a model is run. In reading order:

    options              the options of a text, each declared once
    stop_strings         where a text ends at a stop string
    measured             the record of a finished text, and what is measured of it
    sequence             one text while it is written
    sampling             one of the allowed tokens, likeliest or drawn
    decode_loop          pass after pass until all sequences of a batch are finished
    running_batch        texts that come and go while a model writes
    engine               what all texts of one model share
    generate_arguments   what ``model.generate`` hands to a loop, read and checked
    custom_generate      the loop inside of ``model.generate``
    decoder              what users hold
    logits_processor     masks alone, for plain ``model.generate``
"""

from rellm_agents.decoding.generation.decoder import ConstrainedDecoder, Request
from rellm_agents.decoding.generation.logits_processor import ConstrainedLogitsProcessor
from rellm_agents.decoding.generation.measured import (
    MAX_LIKELIEST,
    Candidate,
    Completion,
    LogProbability,
    TokenLogprobs,
    Trace,
    TracedRun,
    TracedText,
    TracedToken,
    tracing,
)
from rellm_agents.decoding.generation.options import Measure, OnBudget, Selection, Spelling, TextKeywords, TextOptions, text_options
