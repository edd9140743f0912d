"""FACE."""

from rellm_agents.decoding.vocabulary.token_bytes import fast_backend
from rellm_agents.decoding.vocabulary.trie import Bits, Ids, Mask, TokenTrie, packed, packed_flags, unpacked
from rellm_agents.decoding.vocabulary.trie_cursor import Spot, Spots
from rellm_agents.decoding.vocabulary.vocabulary import Vocabulary
