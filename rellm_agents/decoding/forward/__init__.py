"""The model side of decoding: forward passes of a batch over a cache, and keys and values of earlier texts.

Knows models of transformers and tokens as numbers; knows neither patterns, nor prompts as text, nor how a token is chosen. In reading
order:

    resumption     the ways in which models go on from what they have read
    cache_names    the name under which a model takes its cache
    module         what is wrapped around a model, its mode, and where its weights are
    context        how many tokens a model reads at most
    scorer         one model, one pass of it, and the scores that the pass gives
    passes         the passes of one batch, with its cache, its attention mask and its positions
    probe          how a model goes on, found out by trying
    fingerprint    what the scores of a model depend on, as a value
    prefix_cache   keys and values of recent texts, for prompts that begin alike
    batch_masks    masks of many rows laid over the logits of an engine that batches by itself
    beginnings     the beginning of a batch: what is kept of it, and what its texts share
"""

from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.batch_masks import deny_, deny_packed_, fill_row_, open_rows
from rellm_agents.decoding.forward.beginnings import begin
from rellm_agents.decoding.forward.cache_names import NAMES as CACHE_NAMES
from rellm_agents.decoding.forward.cache_names import output_name, taken_from
from rellm_agents.decoding.forward.fingerprint import Fingerprint, fingerprint_of
from rellm_agents.decoding.forward.module import inside, rows_of
from rellm_agents.decoding.forward.passes import ForwardPasses
from rellm_agents.decoding.forward.prefix_cache import MAX_BYTES, PrefixCache, common_length
from rellm_agents.decoding.forward.probe import scorer_of
from rellm_agents.decoding.forward.resumption import Resumption
from rellm_agents.decoding.forward.scorer import EncodedPrompts, Scorer, Scores
