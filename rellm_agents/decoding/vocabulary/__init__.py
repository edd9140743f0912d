"""FACE."""

from rellm_agents.decoding.vocabulary.bitmask import Bits, Ids, Mask, packed, packed_flags, unpacked
from rellm_agents.decoding.vocabulary.token_bytes import fast_backend
from rellm_agents.decoding.vocabulary.trie import TokenTrie
from rellm_agents.decoding.vocabulary.trie_cursor import TrieCursor, TrieCursors
from rellm_agents.decoding.vocabulary.vocabulary import Vocabulary
