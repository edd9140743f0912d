"""The laws of spelling, over all states that small patterns reach under toy tokenizers with drawn merges.

*Free text*: where nothing is known, the canonical mask is the plain one. *Texts*: from every state the same texts can be written as without
it. *Tokens*: the row of tokens that the tokenizer writes a text with is allowed at every step, within every budget that allows it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from toy_tokenizers import KINDS, LLAMA_3, WORDS
from toys import _STAND_INS, _wrapped
from transformers import PreTrainedTokenizerFast

from rellm_agents import Pattern, compile_regex, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.decoding.spelling.tokenizer_spelling import speller_of
from rellm_agents.decoding.vocabulary import unpacked
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.patterns import choice, lexeme, literal, optional, read_regex, sequence
from rellm_agents.patterns.ir import Node
from rellm_agents.patterns.machine import DEAD_STATE, LiteralCell, SetCell, State

LETTERS = 'ab",1'
DEEP, LONG = 3, 4  # tokens before the states that are looked at; bytes of the texts that are compared
TEXTS = 60  # whose rows are followed


def drawn_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with merges in a random order, so that a longer text may be split otherwise than its beginnings are."""
    chance = random.Random(seed)
    tokens, merges = [_STAND_INS[ord(one)] for one in LETTERS], list[tuple[str, str]]()
    while len(merges) < chance.choice([4, 8, 14]):
        pair = chance.choice(tokens), chance.choice(tokens)
        if len("".join(pair)) <= 4 and pair not in merges:
            merges.append(pair)
            tokens.append("".join(pair))
    vocab = {_STAND_INS[b]: b for b in range(256)} | {"<|end|>": 256}
    for token in tokens:
        vocab.setdefault(token, len(vocab))
    backend = Tokenizer(models.BPE(vocab, merges))
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = pre_tokenizers.Split(Regex(LLAMA_3), behavior="isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, whole]) if seed % 3 == 2 else whole
    backend.decoder = decoders.ByteLevel()
    return _wrapped(backend, 256)


def drawn_node(chance: random.Random) -> Node:
    """Literals, sets of them - also large ones -, and free text, beside each other and one after the other."""

    def text(most: int) -> str:
        return "".join(chance.choices(LETTERS, k=chance.randint(1, most)))

    def one(depth: int) -> Node:
        match chance.randrange(6 if depth else 4):
            case 0:
                return literal(text(4))
            case 1:
                return choice(*(literal(text(4)) for _ in range(chance.choice([2, 3, 12]))))
            case 2:
                return lexeme(read_regex(chance.choice(["[ab]*", "[ab1]+", '"[ab]*"', "1{1,3}", "a?b", '[^"]'])))
            case 3:
                return optional(literal(text(3)))
            case 4:
                return choice(one(depth - 1), one(depth - 1))
            case _:
                return sequence(one(depth - 1), one(depth - 1))

    return sequence(one(2), one(2))


HAND_WRITTEN = [
    compile_regex('"(ab|abc|aab|b)"'),
    compile_regex('"(ab|ba|"|[ab]*1)"'),
    compile_regex("(a|ab|aab)1*,"),
    compile_schema({"anyOf": [{"enum": ["ab", "ba", 11]}, {"type": "string"}]}),
    compile_schema({"type": "object", "properties": {"a": {"enum": ["b", "ab"]}, "ab": {"type": "boolean"}}}, whitespace="compact"),
]


def pattern_of(seed: int) -> Pattern:
    return HAND_WRITTEN[seed] if seed < len(HAND_WRITTEN) else Pattern(drawn_node(random.Random(seed)))


def ids_of(masks: PatternMasks, state: State, left: int | None = None) -> set[int]:
    return {*unpacked(masks.bits(state, left), masks.vocabulary.size).nonzero()[0].tolist()}


def reached(masks: PatternMasks) -> Iterator[State]:
    """The states that a few tokens lead to."""
    waiting, seen = [(masks.start, 0)], {masks.start.id}
    while waiting:
        state, depth = waiting.pop()
        yield state
        letters = {id_ for id_ in ids_of(masks, state) if {*(masks.vocabulary.token_bytes[id_] or b"\0")} <= {*LETTERS.encode()}}
        for id_ in letters if depth < DEEP else ():
            after = masks.advance(state, id_)
            if after.id not in seen:
                seen.add(after.id)
                waiting.append((after, depth + 1))


def texts_under(masks: PatternMasks) -> Callable[[State, int], frozenset[bytes]]:
    """A function that gives the texts up to a length that can be written from a state on, token by token."""
    token_bytes, ends = masks.vocabulary.token_bytes, {*masks.vocabulary.end_ids}

    @cache
    def texts(state: State, longest: int) -> frozenset[bytes]:
        found = set()
        for id_ in ids_of(masks, state):
            data = token_bytes[id_]
            if id_ in ends:
                found.add(b"")
            elif data and len(data) <= longest and {*data} <= {*LETTERS.encode()}:
                found |= {data + rest for rest in texts(masks.advance(state, id_), longest - len(data))}
        if state.is_final:
            found.add(b"")
        return frozenset(found)

    return texts


@cache
def language(state: State, longest: int) -> frozenset[bytes]:
    """The texts up to a length that match from a state on, by bytes."""
    found = {b""} if state.accepting else set()
    for letter in LETTERS.encode() if longest else ():
        after = state.after(bytes([letter]))
        if after is not DEAD_STATE:
            found |= {bytes([letter]) + rest for rest in language(after, longest - 1)}
    return frozenset(found)


@pytest.mark.parametrize("seed", range(40))
def test_the_mask_is_the_plain_one_in_free_text_and_changes_no_text(seed):
    vocabulary = Vocabulary.from_tokenizer(drawn_tokenizer(seed))
    pattern = pattern_of(seed)
    masks, plain = TokenMasks(pattern, vocabulary, spelling="canonical"), TokenMasks(pattern, vocabulary)
    texts = texts_under(masks)
    for state in reached(masks):
        narrow, wide = ids_of(masks, state), ids_of(plain, state.inner)
        assert narrow <= wide
        free = {cell for cell in state.cells if not isinstance(cell, LiteralCell | SetCell)}
        if len(free) == len(state.cells):
            assert narrow == wide
        elif free:
            assert ids_of(plain, pattern.machine.state_of(free, accepting=False)) <= narrow
        assert texts(state, LONG) == language(state.inner, LONG)


@pytest.mark.parametrize("seed", range(40))
def test_the_tokenizers_own_row_is_allowed_at_every_step(seed):
    tokenizer = drawn_tokenizer(seed)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    pattern = pattern_of(seed)
    masks, plain = TokenMasks(pattern, vocabulary, spelling="canonical"), TokenMasks(pattern, vocabulary)
    speller = speller_of(vocabulary)
    texts = sorted(language(pattern.machine.start, LONG + 2))
    for text in random.Random(seed).sample(texts, min(TEXTS, len(texts))):
        row = [*tokenizer.encode(text.decode(), add_special_tokens=False), vocabulary.end_ids[0]]
        state, inner = masks.start, plain.start
        for at, id_ in enumerate(row):
            if state.is_final:
                assert at == len(row) - 1
                break
            assert id_ in ids_of(masks, state), (text, at)
            for left in range(1, 6):
                try:
                    assert id_ in ids_of(masks, state, left) or id_ not in ids_of(plain, inner, left)
                except BudgetTooSmall:
                    continue
            state, inner = masks.advance(state, id_), plain.advance(inner, id_)
        for options in (TextOptions(max_new_tokens=60, healing=False), TextOptions(max_new_tokens=60, healing=False, spelling="any")):
            assert written(TextSequence(plain, speller, [ord("\n")], options, seed=0), row) == row[:-1]


def written(sequence: TextSequence, row: list[int]) -> list[int]:
    """The tokens of a text whose chooser wants just these, each of which it has to be allowed."""

    def choose(_: int, allowed) -> int:
        own = sequence.committed[1:]
        assert own == row[: len(own)]
        assert row[len(own)] in allowed.ids_allowed().tolist()
        return row[len(own)]

    while not sequence.is_finished:
        sequence.choose_next(choose)
    return sequence.committed[1:]


@pytest.mark.parametrize("seed", range(20))
def test_a_literal_has_the_tokenizers_row_alone(seed):
    chance, tokenizer = random.Random(seed), drawn_tokenizer(seed)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for _ in range(10):
        text = "".join(chance.choices(LETTERS, k=chance.randint(1, 9)))
        masks, row = TokenMasks(Pattern(literal(text)), vocabulary, spelling="canonical"), []
        state = masks.start
        while not state.is_final:
            (only,) = ids_of(masks, state)
            row.append(only)
            state = masks.advance(state, only)
        assert row == tokenizer.encode(text, add_special_tokens=False)


OTHER_KINDS = ("byte fallback", "byte fallback, a space before the text", "Metaspace, never", "Unigram, byte fallback", "Unigram")


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_tokenizers_of_other_kinds_keep_the_laws(kind):
    vocabulary = Vocabulary.from_tokenizer(KINDS[kind]())
    speller, chance, followed = speller_of(vocabulary), random.Random(kind), 0
    for _ in range(12):
        texts = ["".join(chance.choices([*WORDS, "a", "b", " "], k=chance.randint(1, 4))) for _ in range(chance.choice([1, 3, 12]))]
        free = sequence(literal(chance.choice(WORDS)), lexeme(read_regex("[ab]*")), literal(chance.choice(WORDS)))
        pattern = Pattern(choice(*map(literal, texts), free) if chance.random() < 0.5 else sequence(choice(*map(literal, texts)), free))
        masks, plain = TokenMasks(pattern, vocabulary, spelling="canonical"), TokenMasks(pattern, vocabulary)
        for text in [pattern.sample(seed) for seed in range(20)]:
            state, inner, row = masks.start, plain.start, speller.spell((), text.encode())
            for id_ in row:
                assert id_ in ids_of(masks, state)
                state, inner = masks.advance(state, id_), plain.advance(inner, id_)
                if not any(isinstance(cell, LiteralCell | SetCell) for cell in state.cells):
                    assert ids_of(masks, state) == ids_of(plain, inner)
            followed += bool(row) and state.accepting
    assert followed > 50
