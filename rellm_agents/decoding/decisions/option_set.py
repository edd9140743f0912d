"""The options of a decision, checked: different texts, or the texts of a pattern; and the token rows that write them behind a prompt.

What is wrong with options is an error before the first forward pass. Knows no model.

>>> options_of(["yes", "no"]).texts
('yes', 'no')
>>> options_of(["yes", "no", "yes"])
Traceback (most recent call last):
rellm_agents.errors.ArgumentValueError: options 0 and 2 are both 'yes', so they cannot be told apart: give each once
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from rellm_agents.decoding.decisions.pattern_texts import MAX_OPTIONS, finite_texts
from rellm_agents.decoding.decisions.token_rows import MAX_ROWS, Row, all_rows, canonical_row, last_text
from rellm_agents.decoding.forward import common_length
from rellm_agents.decoding.spelling import Speller
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import ArgumentValueError
from rellm_agents.patterns import Pattern, choice, literal
from rellm_agents.patterns.ir import shown

Tokenizations = Literal["canonical", "all"]
"""Which token rows of an option count: the tokenizer's own, or every one that writes it."""


class DecisionKeywords(TypedDict, total=False):
    """How options are weighed.

    Attributes:
        calibrate: weigh what the prompt adds to what an empty input gives, since a model likes some options in any case (Zhao et al. 2021,
            "Calibrate Before Use"; Holtzman et al. 2021, "Surface Form Competition"). ``True``: the options stand behind the beginning of
            a text; or a text, the prompt around an empty input, behind which they stand. Default: ``False``.
        tokenizations: ``"canonical"``, the default: an option is written with the tokens that the tokenizer writes it with behind the
            prompt; ``"all"``: with any, whose probabilities are added, at most ``MAX_ROWS`` rows of tokens for all options together.
        add_special_tokens: as for :meth:`ConstrainedDecoder.generate`.
        healing: as there: where the tokenizer would write the last tokens of the prompt otherwise before one of the options, they are not
            read with the prompt, but written once more with each option.
    """

    calibrate: bool | str
    tokenizations: Tokenizations
    add_special_tokens: bool
    healing: bool


@dataclass(frozen=True)
class OptionSet:
    """Options of a decision.

    Attributes:
        texts: as users see them.
        data: as patterns read them, with special tokens between their delimiters.
        pattern: of just these texts.
    """

    texts: tuple[str, ...]
    data: tuple[bytes, ...]
    pattern: Pattern

    def rows(
        self, speller: Speller, vocabulary: Vocabulary, prompt: Sequence[int], *, healing: bool, tokenizations: Tokenizations
    ) -> tuple[int, tuple[tuple[Row, ...], ...]]:
        """The token rows of each option behind a prompt.

        Args:
            speller: of the tokenizer.
            vocabulary: its tokens.
            prompt: ids of its tokens.
            healing: where the tokenizer would write the last tokens of the prompt otherwise before an option, they are a part of the rows.
            tokenizations: which rows count.

        Returns:
            How many tokens at the end of the prompt the rows write once more, and the rows.

        Raises:
            VocabularyError: the tokenizer does not write an option, or lacks a special token of the pattern: names it.
            ValueError: the rows are more than ``MAX_ROWS``.
        """
        if tokenizations not in get_args(Tokenizations):
            raise ArgumentValueError.saying(f"tokenizations={tokenizations!r}: one of {', '.join(map(repr, get_args(Tokenizations)))}")
        vocabulary.named_ids(self.pattern.special_tokens)
        end = last_text(speller, vocabulary, prompt) if healing else ()
        kept = prompt[: len(prompt) - len(end)]
        rows = [canonical_row(speller, kept, _text(vocabulary, end), data) for data in self.data]
        same = min(common_length(row, end) for row in rows)  # these no option changes
        if tokenizations == "canonical":
            return len(end) - same, tuple((row[same:],) for row in rows)
        again, left, found = _text(vocabulary, end[same:]), MAX_ROWS, list[tuple[Row, ...]]()
        for data in self.data:
            found.append(tuple(all_rows(vocabulary, again, data, limit=left)))
            left -= len(found[-1])
        return len(end) - same, tuple(found)


def options_of(options: Sequence[str] | Pattern) -> OptionSet:
    """Options, checked.

    Args:
        options: different texts; or a pattern of few texts.

    Raises:
        ValueError: there are none, or more than ``MAX_OPTIONS``; one is no text; or two are the same: names them.
        PatternTooLarge: the pattern has more texts.
    """
    if isinstance(options, Pattern):
        data = tuple(finite_texts(options, MAX_OPTIONS))
        return OptionSet(tuple(shown(one).decode() for one in data), data, options)
    if isinstance(options, str):
        raise ArgumentValueError.saying(f"options={options!r}: a list of texts, [{options!r}, ...], or a pattern")
    texts = tuple(options)
    if not texts:
        raise ArgumentValueError.saying("no options: give the texts among which is to be decided")
    if len(texts) > MAX_OPTIONS:
        raise ArgumentValueError.saying(
            f"{len(texts)} options, and a decision has at most {MAX_OPTIONS}: decide in two steps, among groups of them first"
        )
    first: dict[str, int] = {}
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise ArgumentValueError.saying(f"option {at} is {text!r}, no text: give a list of str")
        if text in first:
            raise ArgumentValueError.saying(
                f"options {first[text]} and {at} are both {text!r}, so they cannot be told apart: give each once"
            )
        first[text] = at
    pattern = Pattern(choice(*map(literal, texts)))  # refuses lone surrogates
    return OptionSet(texts, tuple(text.encode() for text in texts), pattern)


def _text(vocabulary: Vocabulary, ids: Sequence[int]) -> bytes:
    return b"".join(map(vocabulary.shown_bytes, ids))
