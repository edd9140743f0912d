"""The tokens of a tokenizer as bytes, and the trie over them.

Knows nothing of patterns but how they name tokens, and the tables of automata. In reading order:

    bitmask           sets of token ids
    trie_arrays       the trie, built as flat arrays
    trie              walks over it
    byte_classes      its tokens as words of classes of bytes
    trie_cursor       one position in it, cached
    token_bytes       the bytes of a tokenizer's tokens, verified
    tokenizer_digest  a digest of all that they depend on
    array_files       arrays kept on disk
    vocabulary        all of it
"""

from rellm_agents.decoding.vocabulary.bitmask import Bits, Ids, Mask, packed, packed_flags, unpacked
from rellm_agents.decoding.vocabulary.byte_classes import WordTrie, word_ends
from rellm_agents.decoding.vocabulary.token_bytes import fast_backend, special_contents
from rellm_agents.decoding.vocabulary.tokenizer_digest import digest_of, token_state
from rellm_agents.decoding.vocabulary.trie import TokenTrie
from rellm_agents.decoding.vocabulary.trie_cursor import TrieCursor, TrieCursors
from rellm_agents.decoding.vocabulary.vocabulary import Vocabulary
