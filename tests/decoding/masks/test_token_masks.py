"""The laws of masks: a mask equals trying every token; a text that fits its budget can always be finished."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import regex
from decoding.many_patterns import GROUPS
from toys import byte_fallback_tokenizer, byte_level_tokenizer, random_pieces, vocabulary_of

from rellm_agents import Pattern, compile_regex
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.masks.pattern_masks import ENDED
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.decoding.vocabulary.trie import TokenTrie
from rellm_agents.errors import BudgetTooSmall, PatternTooLarge, TokenRefused, UnsupportedRegex, VocabularyError
from rellm_agents.patterns import choice, intersection, lexeme, literal, read_regex, repeat, sequence
from rellm_agents.patterns.machine import machine
from rellm_agents.patterns.machine.machine import State

ASCII = [b for b in range(0x20, 0x7F) if chr(b) not in "[%q"]  # some of the bytes that patterns speak of are missing
VOCABULARIES = {
    "byte-level": Vocabulary.from_tokenizer(byte_level_tokenizer()),
    "byte fallback": Vocabulary.from_tokenizer(byte_fallback_tokenizer()),
    "random": vocabulary_of(random_pieces(1)),
    "random, of few bytes": vocabulary_of(random_pieces(2, alphabet=b"ab(\xe2\x82\xac"), single=b'ab()[]"{}: ,\xe2\x82\xac\xc3\xa9\n'),
    "random, incomplete": vocabulary_of([*random_pieces(3), "€".encode(), b"[a"], single=ASCII),
    "two ends": Vocabulary([*(bytes([b]) for b in range(256)), b"ab", b"ab", None, None, None], end_ids=[258, 260]),
}
every_vocabulary = pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
every_group = pytest.mark.parametrize("group", GROUPS)


def test_there_are_patterns_enough():
    assert sum(map(len, GROUPS.values())) >= 200


@every_vocabulary
@every_group
def test_a_mask_equals_trying_every_token(group, vocabulary):
    for name, masks in masks_of(group, vocabulary):
        for state in visited(masks, random.Random(name), steps=2):
            allowed = allowed_ids(masks, masks.bits(state))
            assert allowed == tried_ids(masks, state), name
            assert (set(vocabulary.end_ids) <= allowed) == masks.is_accepting(state), name
            assert allowed, name
            assert not unpacked(masks.bits(state), 32 * len(masks.bits(state)))[vocabulary.size :].any()


@every_vocabulary
@every_group
def test_a_mask_within_a_budget_leaves_out_what_could_not_be_finished(group, vocabulary):
    for name, masks in masks_of(group, vocabulary):
        for state in visited(masks, random.Random(name), steps=2):
            needed = masks.tokens_needed(state)
            after = {
                i: 0 if i in vocabulary.end_ids else masks.tokens_needed(masks.advance(state, i))
                for i in allowed_ids(masks, masks.bits(state))
            }
            for budget in (needed, needed + 1, needed + 2, needed + 7, 10_000):
                assert allowed_ids(masks, masks.bits(state, budget)) == {i for i, more in after.items() if more < budget}, (name, budget)
            for budget in {0, needed - 1}:
                with pytest.raises(
                    BudgetTooSmall, match=rf"at least {needed} tokens .* budget is {budget}: set max_new_tokens to {needed} at least$"
                ):
                    masks.bits(state, budget)


@every_vocabulary
@every_group
def test_every_budget_that_is_no_less_than_needed_ends_in_time(group, vocabulary):
    """Every sixth pattern of a group, others for each vocabulary, so that each is tried once; every budget to 40 more than needed."""
    for name, masks in masks_of(group, vocabulary, one_in=6, first=list(VOCABULARIES.values()).index(vocabulary)):
        chance, needed = random.Random(name), masks.tokens_needed(masks.start)
        for budget in range(needed, needed + 41):
            written = written_at_random(masks, budget, chance)
            assert len(written) + 1 <= budget
            text = b"".join(vocabulary.token_bytes[i] or b"?" for i in written).decode("utf-8")
            assert masks.pattern.fullmatch(text), (name, text)
            assert printed_regex_accepts(masks.pattern, text), (name, text)


@every_group
def test_what_is_forced_begins_every_continuation(group):
    for vocabulary in (VOCABULARIES["byte-level"], VOCABULARIES["random"]):
        for name, masks in masks_of(group, vocabulary):
            for state in visited(masks, random.Random(name), steps=4):
                forced = masks.forced_bytes(state)
                for i, byte in enumerate(forced):
                    here = machine.run(state, forced[:i])
                    assert not here.accepting, name
                    assert [b for b in range(256) if machine.step(here, b) is not machine.DEAD_STATE] == [byte], name
                for token_id in allowed_ids(masks, masks.bits(state)) - set(vocabulary.end_ids):
                    data = vocabulary.token_bytes[token_id] or b""
                    assert data.startswith(forced[: len(data)]), name


@pytest.mark.parametrize(
    ("text", "written", "forced"),
    [
        ("abc", "", b"abc"),
        ("abc", "a", b"bc"),
        ("a?b", "", b""),
        ("a?b", "a", b"b"),
        ("ab*", "a", b""),
        ("[éè]", "", b"\xc3"),
        ("a{4}", "", b"aaaa"),
        ("", "", b""),
    ],
)
def test_what_is_forced_is_found(text, written, forced):
    masks = TokenMasks(compile_regex(text), VOCABULARIES["random"])
    assert masks.forced_bytes(machine.run(masks.start, written.encode())) == forced


@pytest.mark.parametrize("text", ["a+b?", "(ab|ba){1,3}", "[^€]{2}", r'\{"a": "[^"]*"\}', r"-?\d{1,4}(\.\d+)?", "é€|éa", "(?i)select a"])
def test_a_token_is_allowed_where_the_regex_module_finds_a_beginning(text):
    """Judged without our machine, for tokens of whole characters."""
    masks, chance = TokenMasks(compile_regex(text), VOCABULARIES["random"]), random.Random(text)
    state, written = masks.start, ""
    for _ in range(12):
        allowed = allowed_ids(masks, masks.bits(state))
        whole = {i: d.decode() for i, d in enumerate(masks.vocabulary.token_bytes) if d is not None and is_utf8(d)}
        assert allowed & set(whole) == {i for i, piece in whole.items() if regex.fullmatch(text, written + piece, partial=True)}
        following = sorted(allowed & set(whole))
        if not following:
            break
        token_id = chance.choice(following)
        state, written = masks.advance(state, token_id), written + whole[token_id]


def test_masks_are_read_only():
    masks = TokenMasks(compile_regex("a+b"), VOCABULARIES["random"])
    for bits in (masks.bits(masks.start), masks.bits(masks.start, 3), masks.bits(ENDED)):
        with pytest.raises(ValueError, match="read-only"):
            bits[0] = 1


@pytest.mark.parametrize("token_id", [-1, -3, 324, 325, 10**9])
def test_an_id_without_text_is_refused(token_id):
    vocabulary = VOCABULARIES["random"]
    assert vocabulary.size == 324
    for text in ("a*", "(?s).*"):
        masks = TokenMasks(compile_regex(text), vocabulary)
        with pytest.raises(TokenRefused, match=f"token {token_id} writes no text"):
            masks.advance(masks.start, token_id)


def test_the_end_is_refused_where_the_text_may_not_end():
    masks = TokenMasks(compile_regex("ab"), VOCABULARIES["two ends"])
    for end_id in masks.vocabulary.end_ids:
        with pytest.raises(TokenRefused, match="may not end here"):
            masks.advance(masks.start, end_id)


def test_after_the_end_only_the_end_is_allowed():
    masks = TokenMasks(compile_regex("a?"), VOCABULARIES["two ends"])
    for end_id in masks.vocabulary.end_ids:
        assert masks.advance(masks.start, end_id) is ENDED
        assert masks.advance(ENDED, end_id) is ENDED
    assert allowed_ids(masks, masks.bits(ENDED)) == {258, 260} == tried_ids(masks, ENDED)
    assert (masks.tokens_needed(ENDED), masks.forced_bytes(ENDED), masks.is_accepting(ENDED)) == (1, b"", False)


def test_two_ids_of_the_same_bytes_are_allowed_alike():
    masks = TokenMasks(compile_regex("ab"), VOCABULARIES["two ends"])
    assert allowed_ids(masks, masks.bits(masks.start)) == {ord("a"), 256, 257}
    assert masks.advance(masks.start, 256) is masks.advance(masks.start, 257)


@pytest.mark.parametrize(("text", "single"), [("a€", b"ab"), ("é+", b"\xc3"), ("(?s).{4}[é€]", b"abc"), ("ab", b"")])
def test_a_pattern_that_no_tokens_spell_is_refused_at_once(text, single):
    with pytest.raises(VocabularyError, match="cannot spell any text of the pattern"):
        TokenMasks(compile_regex(text), vocabulary_of([], single=single))


def test_what_the_vocabulary_cannot_spell_is_never_begun():
    masks = TokenMasks(compile_regex('a(€|b)|"[^b]*"|é?c'), vocabulary_of([b"ab", b'a"'], single=b"abc\xc3\xe2"))
    assert allowed_ids(masks, masks.bits(masks.start)) == tried_ids(masks, masks.start) == {0, 2, 4}  # ab, a, c


def test_a_vocabulary_without_text_writes_the_empty_text():
    masks = TokenMasks(compile_regex("a?"), Vocabulary([None], end_ids=[0]))
    assert masks.bits(masks.start).tolist() == masks.bits(masks.start, 1).tolist() == [1]


def test_another_spelling_is_refused():
    with pytest.raises(ValueError, match='spelling=\'best\': "any" or "canonical"'):
        TokenMasks(compile_regex("a"), VOCABULARIES["random"], spelling="best")
    with pytest.raises(VocabularyError, match="canonical spelling asks the tokenizer"):
        TokenMasks(compile_regex("a"), VOCABULARIES["random"], spelling="canonical")


def test_masks_are_the_same_from_several_threads():
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - here only

    def walk(masks, seed):
        chance, state, seen = random.Random(seed), masks.start, []
        for left in range(30, masks.tokens_needed(state), -1):
            bits = masks.bits(state, left)
            seen.append(bits.tobytes())
            state = masks.advance(state, chance.choice(sorted(allowed_ids(masks, bits))))
        return seen

    for name in ("schema 15 flexible", "schema 12 spaced"):
        pattern = GROUPS["schemas"][name]
        alone, shared = (TokenMasks(pattern, vocabulary_of(random_pieces(5))) for _ in range(2))
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda seed: walk(shared, seed % 4), range(16)))  # noqa: B023 - ends within the loop
        assert found == [walk(alone, seed % 4) for seed in range(16)]


DEAD_END = intersection(literal("x"), literal("y"))


@pytest.mark.parametrize(
    "node",
    [
        choice(sequence(literal("a"), DEAD_END), literal("b")),
        sequence(literal("a"), choice(sequence(lexeme(read_regex("b+")), DEAD_END), literal("c"))),
    ],
)
def test_a_mask_equals_trying_every_token_where_a_part_matches_nothing(node):
    masks = TokenMasks(Pattern(node), VOCABULARIES["random"])
    for state in visited(masks, random.Random(0), steps=4):
        assert allowed_ids(masks, masks.bits(state)) == tried_ids(masks, state)


def test_a_mask_equals_trying_every_token_where_a_byte_ends_the_text():
    masks = TokenMasks(compile_regex("ba|c"), Vocabulary([bytes([b]) for b in range(256)], end_ids=[ord("a")]))
    assert allowed_ids(masks, masks.bits(masks.start)) == tried_ids(masks, masks.start) == {ord("c")}


def test_a_long_token_that_can_be_read_in_many_ways_takes_few_steps(monkeypatch):
    visits = 0
    children = TokenTrie.children

    def counted(self, *args):
        nonlocal visits
        visits += 1
        return children(self, *args)

    monkeypatch.setattr(TokenTrie, "children", counted)
    pattern = Pattern(repeat(choice(literal("a"), literal("aa"), lexeme(read_regex("b+c")))))
    masks = TokenMasks(pattern, vocabulary_of([b"a" * 15]))
    masks.bits(masks.start)
    assert visits < 500


def masks_of(group: str, vocabulary: Vocabulary, *, one_in: int = 1, first: int = 0) -> Iterator[tuple[str, TokenMasks]]:
    """The masks of a group's patterns, but for those that the vocabulary cannot spell."""
    for name, pattern in list(GROUPS[group].items())[first::one_in]:
        try:
            masks = TokenMasks(pattern, vocabulary)
        except VocabularyError:
            assert not vocabulary.spells_every_text
        else:
            yield name, masks


def visited(masks: TokenMasks, chance: random.Random, *, steps: int) -> Iterator[State]:
    """The states of a random walk, the start included."""
    state = masks.start
    for _ in range(steps + 1):
        yield state
        following = sorted(allowed_ids(masks, masks.bits(state)) - set(masks.vocabulary.end_ids))
        if not following:
            return
        state = masks.advance(state, chance.choice(following))


def written_at_random(masks: TokenMasks, budget: int, chance: random.Random) -> list[int]:
    """Tokens drawn from the masks within the budget, the end only where nothing else is allowed."""
    state, written = masks.start, []
    for left in range(budget, 0, -1):
        allowed = allowed_ids(masks, masks.bits(state, left))
        following = sorted(allowed - set(masks.vocabulary.end_ids))
        if not following:
            assert allowed
            assert masks.is_accepting(state)
            return written
        token_id = chance.choice(following)
        state = masks.advance(state, token_id)
        written.append(token_id)
    raise AssertionError(f"no end within {budget} tokens")


def allowed_ids(masks: TokenMasks, bits: np.ndarray) -> set[int]:
    return set(np.flatnonzero(unpacked(bits, masks.vocabulary.size)).tolist())


def tried_ids(masks: TokenMasks, state: State) -> set[int]:
    """The ids that ``advance`` takes."""
    return {token_id for token_id in range(masks.vocabulary.size) if takes(masks, state, token_id)}


def takes(masks: TokenMasks, state: State, token_id: int) -> bool:
    try:
        masks.advance(state, token_id)
    except TokenRefused:
        return False
    return True


def printed_regex_accepts(pattern: Pattern, text: str) -> bool:
    """Whether the ``regex`` module agrees; patterns too large to be printed, or to be matched in time, are another test's."""
    try:
        printed = pattern.regex
        return len(printed) > 2_000 or regex.fullmatch(printed, text, timeout=1) is not None
    except (PatternTooLarge, UnsupportedRegex, TimeoutError):
        return True


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
