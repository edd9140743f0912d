"""No token leads to where the vocabulary cannot spell any rest: with a vocabulary of the common bytes alone, and one that knows more."""

from __future__ import annotations

import pytest

from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.errors import TokenRefused, VocabularyError
from rellm_agents.patterns import compile_regex
from rellm_agents.patterns.ir.charset import COMMON_BYTES

PIECES = [b"ab", b"b\x04", b"\x04\x04", b"aa", b"ba", "é".encode(), "\U000e0067".encode(), b"\x01b", b"\xf3\xa0", b"c\xf3"]
VOCABULARY = Vocabulary([*(bytes((byte,)) for byte in COMMON_BYTES), *PIECES, None], end_ids=[len(COMMON_BYTES) + len(PIECES)])
REGEXES = [
    r"(?!b)[ab]*(b\x01|a)",
    r"(?=.*\Z)(a\x04?|b\x05)c?",
    r"(?![^a]*\Z)(?s).*",
    r"(?!a*\Z)[a\x04]{1,3}",
    r"(?!a*\Z)[a\U000E0067\U000F0000]{1,20}",
    r"(?=[ab]*\Z)(a|b\x01){2,40}",
    r"((?!a\Z)[ab\x01]\x04?){17,18}",
    r"(?!.*b\Z).*\x04",
    r"(?!x)(a(b\x02|\x04\x04))*c",
    r"(?=[^c]*\Z)[a-c\x01]{0,30}(b\x04|a\x01)?",
]


@pytest.mark.parametrize("regex", REGEXES)
def test_a_token_is_allowed_where_tokens_lead_on_to_the_end_and_nowhere_else(regex):
    """Every state that tokens come to leads to the end; every token that is denied leads to none that does."""
    pattern = compile_regex(regex)
    try:
        masks = TokenMasks(pattern, VOCABULARY)
    except VocabularyError:
        masks = None
    byte_start = pattern.machine.start
    edges: dict[object, dict[int, object]] = {}
    waiting = [byte_start]
    while waiting and len(edges) < 300:  # all states that tokens come to, by bytes alone
        state = waiting.pop()
        if state in edges:
            continue
        edges[state] = {}
        for id_, data in enumerate(VOCABULARY.token_bytes):
            if data and (after := pattern.machine.run(state, data)).machine is not None:
                edges[state][id_] = after
                waiting.append(after)
    ends = {state for state in edges if state.accepting}
    while more := {state for state, after in edges.items() if state not in ends and any(one in ends for one in after.values())}:
        ends |= more
    assert (masks is not None) == (byte_start in ends)
    if masks is None:
        return
    seen, waiting = set(), [masks.start]
    while waiting and len(seen) < 60:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        allowed = unpacked(masks.bits(state), VOCABULARY.size)
        for id_, data in enumerate(VOCABULARY.token_bytes):
            if data is None:
                continue
            after = edges[state].get(id_)
            assert allowed[id_] == (after in ends), (regex, data)
            if after in ends:
                assert masks.advance(state, id_) is after
                waiting.append(after)
            else:
                with pytest.raises(TokenRefused):
                    masks.advance(state, id_)
