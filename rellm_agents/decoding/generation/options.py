"""The options of a text: what ends it, how it is spelled, and how its tokens are chosen. Each has its default and its checks here.

Users pass options as keyword arguments; what is made of them is one frozen value that goes with the text. Knows no model.

>>> TextOptions(max_new_tokens=8).temperature
0.0
>>> TextOptions(top_p=2)
Traceback (most recent call last):
rellm_agents.errors.ArgumentValueError: top_p=2: above 0 and at most 1, or None for all
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any, Literal, TypedDict, get_args

from rellm_agents.arguments import (
    ANYTHING,
    FLAG,
    INTEGER,
    NUMBER,
    TEXT,
    TEXTS,
    check_all,
    either,
    instance_of,
    mapping_of,
    sequence_of,
)
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, unknown_options
from rellm_agents.patterns import Pattern

Spelling = Literal["canonical", "any"]
Measure = Literal["kept", "fields", "logprobs", "trace", "full_trace"]
Selection = Literal["greedy", "likeliest", "exact"]
OnBudget = Literal["warn", "raise", "close"]

_WANTED = {
    "stop": TEXTS,
    "stop_behind": instance_of(Pattern).or_none,
    "spelling": TEXT,
    "selection": TEXT,
    "part_tokens": mapping_of(TEXT, INTEGER, words="a mapping from names of parts to int").or_none,
    "max_new_tokens": INTEGER,
    "on_budget": TEXT,
    "max_repeats": INTEGER.or_none,
    "temperature": NUMBER,
    "top_k": INTEGER.or_none,
    "top_p": NUMBER.or_none,
    "min_p": NUMBER.or_none,
    "repetition_penalty": NUMBER,
    "presence_penalty": NUMBER,
    "frequency_penalty": NUMBER,
    "logit_bias": ANYTHING,  # checked with its ids
    "seed": either(INTEGER, sequence_of(INTEGER, words="a list of int, one for each prompt")).or_none,
    "add_special_tokens": FLAG,
    "healing": FLAG,
    "measure": ANYTHING,  # checked with its names
}
"""What an option has to be."""


@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """How a text is written.

    Attributes:
        stop: a text ends before the first of these strings in it; also one string.
        stop_behind: where given, a stop string only counts after a text of this pattern, with spaces or lines between or not.
        spelling: ``"canonical"``: names, members of enums and forced text are written with the tokens that the tokenizer itself writes them
            with, except where the budget lacks these; ``"any"``: with any tokens, as free text is either way.
        selection: how one of several literals is chosen, such as the members of an enum, ``true`` and ``false``, or names. ``"greedy"``:
            token by token, like all text; ``"likeliest"``: the one that is most probable as a whole, with what the pattern writes next;
            ``"exact"``: one that is drawn by its probability as a whole. Both read the literals once before one is chosen, which is one
            more forward pass.
        part_tokens: for named parts of the pattern, how many tokens each may have: where they are spent, the part is closed the
            shortest way, and the rest is written with what is left of the whole budget.
        max_new_tokens: the budget of the text in tokens, its end-of-text token included.
        on_budget: what happens where the budget closes a text, that is, where the likeliest token is left out so that the text can be
            finished. ``"warn"``: a warning in the log says which value was closed; ``"raise"``: the error ``ClosedByBudget``, once the text
            is finished; ``"close"``: nothing. In any case :attr:`Completion.closed_at` tells. Budgets of parts are meant to close them.
        max_repeats: where the text ends in the same piece of 4 to 64 tokens this many times in a row, it is closed the shortest way, as its
            budget would close it; at least 2. ``None``: a text may repeat itself as often as it likes.
        temperature: 0: greedy; else the logits are divided by it before a token is drawn.
        top_k: draw from this many likeliest tokens only; 0 is all.
        top_p: draw from the fewest likeliest tokens only that have this much probability together.
        min_p: draw only from tokens that have at least this part of the probability of the likeliest one.
        repetition_penalty: scores of tokens that the free text of this text holds are divided by it, or multiplied where they are negative,
            as in transformers; 1 changes nothing. Free text is what the pattern leaves open, such as the inside of a string: neither the
            prompt, nor quotes, names and members of enums count, and none of these is made less likely. A token that ends free text, such
            as one with the closing quote of a string, is not free text.
        presence_penalty: is subtracted from the scores of these tokens, as in OpenAI's API; from -2 to 2.
        frequency_penalty: is subtracted from them as often as the free text holds the token; from -2 to 2.
        logit_bias: is added to the scores of tokens, by their ids, wherever one of several tokens is chosen, in free text or not; from
            -100 to 100. Tokens that the pattern forbids stay forbidden, and those that it forces are written.
        seed: makes drawing repeatable. Each text draws from a generator of its own, so it does not depend on the texts that are decoded
            with it; a list holds a seed for each prompt, to get different texts for the same one. ``None``: seeds come from torch's own
            source of chance, which ``transformers.set_seed`` sets.
        add_special_tokens: the tokenizer puts its own tokens around a prompt, such as the beginning of a text; prompts of a chat
            template have them already.
        healing: where a token spans the end of the prompt and the beginning of a text, it can be chosen, as if the prompt's last
            tokens were not written yet.
        measure: what is measured while the text is written, in the passes that are made anyway. ``"kept"``: how much probability the
            masks leave to the model; ``"fields"``: how probable each value of the text is; ``"logprobs"``: how probable each token is;
            ``"trace"``: how each token came about, and what the model wanted where it was chosen; ``"full_trace"``: also where nothing was
            chosen. See the attributes of :class:`Completion` with these names.

    Raises:
        ArgumentTypeError: an option is of another type.
        ArgumentValueError: one is out of its range.
        ValueError: two of them contradict each other.
    """

    stop: Sequence[str] = ()
    stop_behind: Pattern | None = None
    spelling: Spelling = "canonical"
    selection: Selection = "greedy"
    part_tokens: Mapping[str, int] | None = None
    max_new_tokens: int = 256
    on_budget: OnBudget = "warn"
    max_repeats: int | None = None
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] | None = None
    seed: int | Sequence[int] | None = None
    add_special_tokens: bool = True
    healing: bool = True
    measure: Collection[Measure] = ()

    @property
    def is_greedy(self) -> bool:
        """Whether the token with the highest score is chosen, as the model gives scores."""
        return self.temperature == 0 and not self.logit_bias and not self.penalizes

    @property
    def penalizes(self) -> bool:
        """Whether tokens of free text are scored otherwise once they have been written."""
        return self.repetition_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))
        check_all(vars(self).items(), _WANTED)
        if "" in self.stop:
            raise ArgumentValueError("stop", self.stop, "a list of strings that are not empty")
        for name, literals in (("spelling", Spelling), ("selection", Selection), ("on_budget", OnBudget)):
            if (value := getattr(self, name)) not in get_args(literals):
                raise ArgumentValueError(name, value, f"one of {', '.join(map(repr, get_args(literals)))}")
        for seed in () if self.seed is None else (self.seed,) if isinstance(self.seed, int | Integral) else self.seed:
            if not -(2**63) <= seed < 2**64:
                raise ArgumentValueError("seed", seed, "an integer of 64 bits, as torch's generators take")
        if self.selection == "exact" and self.temperature:
            raise ArgumentValueError.saying(
                f"selection='exact' beside temperature={self.temperature}: literals are drawn by their own probabilities, and nothing else "
                "is drawn: leave temperature at 0, or selection at 'greedy'"
            )
        if self.max_repeats is not None and self.max_repeats < 2:
            raise ArgumentValueError("max_repeats", self.max_repeats, "at least 2, or None for any number")
        if not 0 <= self.temperature < float("inf"):
            raise ArgumentValueError("temperature", self.temperature, "0 for greedy, or a positive number")
        if self.top_k is not None and self.top_k < 0:
            raise ArgumentValueError("top_k", self.top_k, "at least 1, or 0 or None for all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ArgumentValueError("top_p", self.top_p, "above 0 and at most 1, or None for all")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ArgumentValueError("min_p", self.min_p, "from 0 to 1, or None for all")
        if not 0 < self.repetition_penalty < float("inf"):
            raise ArgumentValueError("repetition_penalty", self.repetition_penalty, "a positive number; 1 changes nothing")
        for name in ("presence_penalty", "frequency_penalty"):
            if not -2 <= (value := getattr(self, name)) <= 2:
                raise ArgumentValueError(name, value, "from -2 to 2; 0 changes nothing")
        if self.logit_bias is not None:
            object.__setattr__(self, "logit_bias", _checked_bias(self.logit_bias))
        if self.logit_bias and self.selection != "greedy":
            raise ArgumentValueError.saying(
                f"logit_bias beside selection={self.selection!r}: literals are weighed by their own probabilities as a whole: leave out "
                "logit_bias, or selection at 'greedy'"
            )
        names = get_args(Measure)
        if (
            isinstance(self.measure, (str, bytes))
            or not isinstance(self.measure, (Sequence, Set))
            or any(one not in names for one in self.measure)
        ):
            raise ArgumentValueError("measure", self.measure, f"a list of names, any of {', '.join(map(repr, names))}")


def _checked_bias(bias: Mapping[Any, float]) -> dict[int, float]:
    """The bias by token ids, which JSON writes as strings."""
    if not isinstance(bias, Mapping):
        raise ArgumentTypeError("logit_bias", bias, "a mapping from token ids to numbers from -100 to 100")
    checked: dict[int, float] = {}
    for key, value in bias.items():
        token_id = int(key) if isinstance(key, str) and key.isascii() and key.isdigit() else key
        if not isinstance(token_id, int) or isinstance(token_id, bool) or token_id < 0:
            raise ArgumentValueError.saying(f"logit_bias: {key!r} is not the id of a token: tokenizer.encode tells the ids of a text")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -100 <= value <= 100:
            raise ArgumentValueError.saying(f"logit_bias: {value!r} for token {token_id}: a number from -100 to 100")
        checked[token_id] = float(value)
    return checked


def text_options(given: Mapping[str, Any]) -> TextOptions:
    """The options that keyword arguments are.

    Raises:
        TypeError: there is no such option: names it, and the one that is spelled most like it.
        ValueError: an option is out of its range.

    >>> text_options({"temprature": 1})
    Traceback (most recent call last):
    rellm_agents.errors.ArgumentTypeError: a text takes no 'temprature' (did you mean 'temperature'?), only stop, stop_behind, ...
    """
    known = [field.name for field in fields(TextOptions)]
    if unknown := set(given) - set(known):
        raise ArgumentTypeError(
            ", ".join(sorted(unknown)), None, "an option that there is", message=unknown_options("a text", unknown, known)
        )
    return TextOptions(**given)


def one_or_all(pattern: Any) -> Pattern | list[Pattern]:
    """One pattern, or a list of them.

    Raises:
        TypeError: it is something of which a pattern has to be made first: says how.

    >>> one_or_all("yes|no")
    Traceback (most recent call last):
    rellm_agents.errors.ArgumentTypeError: pattern='yes|no': a Pattern, not a str: compile_regex('yes|no') makes one
    """
    if isinstance(pattern, Pattern):
        return pattern
    listed = list(pattern) if isinstance(pattern, Sequence) and not isinstance(pattern, (str, bytes)) else [pattern]
    for one in listed:
        if not isinstance(one, Pattern):
            raise ArgumentTypeError("pattern", one, "a Pattern", advice=_way_to_pattern(one))
    return listed


def _way_to_pattern(value: Any) -> str:
    if isinstance(value, str):
        return f"compile_regex({value!r:.60}) makes one"
    if isinstance(getattr(value, "pattern", None), Pattern):
        return "pass its pattern, format.pattern"
    if isinstance(value, (dict, bool, type)):
        return "compile_schema(...) makes one of a schema or a type"
    return "compile_regex and compile_schema make one of a regex or a schema"


class LoopKeywords(TypedDict, total=False):
    """The keyword arguments that become :class:`TextOptions` where ``model.generate`` chooses the tokens, for type checkers."""

    stop: Sequence[str]
    stop_behind: Pattern | None
    spelling: Spelling
    part_tokens: Mapping[str, int]
    measure: Collection[Measure]


class TextKeywords(LoopKeywords, total=False):
    """All keyword arguments that become :class:`TextOptions`, for type checkers."""

    on_budget: OnBudget
    max_repeats: int | None
    selection: Selection
    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float] | None
    seed: int | Sequence[int] | None
    add_special_tokens: bool
    healing: bool
