"""A transformers causal model, prompts and patterns in, completions that match out.

One forward pass a token at most: none where the mask leaves a single token to end the text with. The budget is a
promise: close to it only tokens are allowed after which the text can still be finished.

>>> Completion("ab", (0, 2), 2, "accepted").text
'ab'
"""

from __future__ import annotations

import codecs
import inspect
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

import torch
from transformers import DynamicCache

from rellm_agents.decoding.logits import AllowedTokens, choose
from rellm_agents.decoding.token_masks import ENDED, TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.cells import State

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_PATTERNS = 64  # whose masks a decoder remembers, least recently used dropped
MAX_APPLIED_MASKS = 1_024

Finish = Literal["accepted", "closed", "stopped"]


@dataclass(frozen=True)
class Completion:
    """What was written after one prompt.

    Attributes:
        text: the text, without the prompt and without the stop string it ended at.
        token_ids: the tokens chosen, without an end-of-text token.
        forward_passes: calls of the model this row took part in, the prompt's included.
        finish: ``"accepted"``: the model chose to end, or nothing could follow; ``"closed"``: close to the budget, tokens
            were left out so that the text could be finished; ``"stopped"``: at a stop string.
    """

    text: str
    token_ids: tuple[int, ...]
    forward_passes: int
    finish: Finish


class DecodingOptions(TypedDict, total=False):
    """How texts are written.

    Attributes:
        max_new_tokens: the budget of each text in tokens, its end-of-text token included; 256 by default.
        temperature: 0, the default: greedy; else the logits are divided by it before a token is drawn.
        top_k: draw from this many likeliest tokens only.
        top_p: draw from the likeliest tokens only that have this much probability together.
        seed: makes drawing repeatable. Each row draws from a source of its own, so its text does not depend on the rows
            beside it; pass a list with a seed for each row to get different texts for the same prompt.
        stop: a text ends before the first of these strings in it.
        stop_behind: where given, a stop string only counts behind a text of this pattern, with spaces or lines between or not.
    """

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    seed: int | Sequence[int] | None
    stop: Sequence[str]
    stop_behind: Pattern | None


@dataclass(frozen=True)
class _Request:
    """The options with their defaults, checked."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | Sequence[int] | None = None
    stop: Sequence[str] = ()
    stop_behind: Pattern | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature}: 0 for greedy, or a positive number")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: at least 1, or None for all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: above 0 and at most 1, or None for all")
        if isinstance(self.stop, str) or "" in self.stop:
            raise ValueError(f"stop={self.stop!r}: a list of strings that are not empty")


class ConstrainedDecoder:
    """Generates texts of patterns with one model. Safe to share between threads as far as the model is.

    Args:
        model: a transformers causal language model, on any device.
        tokenizer: its fast tokenizer.

    Raises:
        VocabularyError: the tokenizer's tokens cannot be read, or it has no end-of-text token.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.vocabulary = Vocabulary.from_tokenizer(tokenizer, end_ids=_end_ids(model, tokenizer))
        self.masks = lru_cache(maxsize=MAX_PATTERNS)(self._masks)
        self._allowed = lru_cache(maxsize=MAX_APPLIED_MASKS)(self._make_allowed)
        takes = inspect.signature(model.forward).parameters
        self._last_logits_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}

    def _masks(self, pattern: Pattern) -> TokenMasks:
        """The masks of a pattern, shared by all its generations."""
        return TokenMasks(pattern, self.vocabulary)

    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a sequence of str too: the first signature is taken
        self, prompt: str, pattern: Pattern, **options: Unpack[DecodingOptions]
    ) -> Completion: ...

    @overload
    def generate(
        self, prompt: Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[DecodingOptions]
    ) -> list[Completion]: ...

    def generate(
        self, prompt: str | Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[DecodingOptions]
    ) -> Completion | list[Completion]:
        """Write a text of the pattern after each prompt.

        Args:
            prompt: one prompt, or several to be decoded together.
            pattern: one for all prompts, or one for each.
            **options: see :class:`DecodingOptions`.

        Returns:
            A completion for one prompt, a list of them for several.

        Raises:
            BudgetTooSmall: a pattern needs more than ``max_new_tokens``; before the first forward pass.
            VocabularyError: the tokenizer cannot spell any text of a pattern.
            ValueError: an option is out of its range, the numbers of prompts, patterns and seeds do not fit together, or a
                prompt is empty.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        request = _Request(**options)
        rows = self._rows(prompts, pattern, request)
        for _ in self._decode(prompts, rows, request):
            pass
        completions = [row.completion() for row in rows]
        return completions[0] if isinstance(prompt, str) else completions

    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[DecodingOptions]) -> Generator[str, None, Completion]:
        """As :meth:`generate` for one prompt, in pieces of whole characters as they are certain.

        Yields:
            Pieces of the text, not empty; together they are the completion's text.

        Returns:
            The completion.
        """
        request = _Request(**options)
        (row,) = rows = self._rows([prompt], pattern, request)
        shown = 0
        for _ in self._decode([prompt], rows, request):
            certain = row.certain_text()
            if len(certain) > shown:
                yield certain[shown:]
                shown = len(certain)
        completion = row.completion()
        if len(completion.text) > shown:
            yield completion.text[shown:]
        return completion

    def _rows(self, prompts: list[str], pattern: Pattern | Sequence[Pattern], request: _Request) -> list[_Row]:
        patterns = [pattern] * len(prompts) if isinstance(pattern, Pattern) else list(pattern)
        seed = request.seed
        seeds = [seed] * len(prompts) if seed is None or isinstance(seed, int) else list(seed)
        if not len(prompts) == len(patterns) == len(seeds):
            raise ValueError(
                f"{len(prompts)} prompts with {len(patterns)} patterns and {len(seeds)} seeds: give one for all, or one for each"
            )
        stops = _Stops(tuple(request.stop), request.stop_behind)
        rows = [_Row(self.masks(p), request.max_new_tokens, s, stops) for p, s in zip(patterns, seeds, strict=True)]
        for row in rows:
            needed = row.masks.tokens_needed(row.state)
            if needed > row.tokens_left:
                raise BudgetTooSmall(needed, row.tokens_left)
        return rows

    @torch.inference_mode()
    def _decode(self, prompts: list[str], rows: list[_Row], request: _Request) -> Iterator[None]:
        """Decode all rows to their ends, a step at a time."""
        encoded = [self._encoded(prompt) for prompt in prompts]
        live = [row for row in rows if not row.settle()]
        if not live:
            return
        device = self.model.device
        encoded = [ids for ids, row in zip(encoded, rows, strict=True) if row in live]
        length = max(map(len, encoded))
        input_ids = torch.tensor([[ids[0]] * (length - len(ids)) + ids for ids in encoded], device=device)
        attention = torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in encoded], device=device)
        positions = (attention.cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=self.model.config)
        while True:
            logits = self.model(
                input_ids=input_ids,
                attention_mask=attention,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                **self._last_logits_only,
            ).logits[:, -1]
            for row, scores in zip(live, logits, strict=True):
                row.forward_passes += 1
                allowed = self._allowed_for(row)
                token_id = choose(
                    scores, allowed, temperature=request.temperature, top_k=request.top_k, top_p=request.top_p, generator=row.generator
                )
                row.append(token_id)
            yield
            kept = [i for i, row in enumerate(live) if not row.settle()]
            if not kept:
                return
            if len(kept) < len(live):
                index = torch.tensor(kept, device=device)
                live = [live[i] for i in kept]
                cache.batch_select_indices(index)
                attention, positions = attention[index], positions[index]
            input_ids = torch.tensor([[row.token_ids[-1]] for row in live], device=device)
            attention = torch.cat([attention, attention.new_ones(len(live), 1)], dim=1)
            positions = positions[:, -1:] + 1

    def _encoded(self, prompt: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(prompt)
        if not ids:
            start = self.tokenizer.bos_token_id
            if start is None:
                raise ValueError("the prompt is empty, and the tokenizer has no beginning-of-text token to begin with")
            ids = [start]
        return ids

    def _allowed_for(self, row: _Row) -> AllowedTokens:
        plain = row.masks.bits(row.state)
        bits = row.masks.bits(row.state, row.tokens_left)
        if bits is plain:
            return self._allowed(row.masks, row.state)
        row.was_narrowed |= bool((bits != plain).any())
        return AllowedTokens.of(bits, self.vocabulary.size)

    def _make_allowed(self, masks: TokenMasks, state: State) -> AllowedTokens:
        return AllowedTokens.of(masks.bits(state), self.vocabulary.size)


@dataclass(frozen=True)
class _Stops:
    """Strings that end a text, and behind what they count."""

    strings: tuple[str, ...]
    behind: Pattern | None

    def find(self, text: str, start: int) -> int | None:
        """Where the text ends because of the first stop string at or after ``start``; behind a pattern, without spaces before it."""
        while True:
            at = min((i for s in self.strings if (i := text.find(s, start)) >= 0), default=None)
            if at is None or self.behind is None:
                return at
            for end in (at, len(text[:at].rstrip())):
                if self.behind.fullmatch(text[:end]):
                    return end
            start = at + 1

    def held_back(self, text: str) -> int:
        """How many characters at the end may turn out to begin a stop string."""
        longest = max(map(len, self.strings), default=0) - 1
        held = next((n for n in range(min(longest, len(text)), 0, -1) if any(s.startswith(text[-n:]) for s in self.strings)), 0)
        return held if self.behind is None else len(text) - len(text[: len(text) - held].rstrip())


@dataclass(eq=False)
class _Row:
    """One text while it is written."""

    masks: TokenMasks
    tokens_left: int
    seed: int | None
    stops: _Stops
    token_ids: list[int] = field(default_factory=list)
    forward_passes: int = 0
    was_narrowed: bool = False

    def __post_init__(self) -> None:
        self.state: State = self.masks.start
        self.generator = torch.Generator()
        if self.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(self.seed)
        self.text = ""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._searched = 0
        self._stopped_at: int | None = None

    def append(self, token_id: int) -> None:
        self.state = self.masks.advance(self.state, token_id)
        self.tokens_left -= 1
        if self.state is ENDED:
            return
        self.token_ids.append(token_id)
        self.text += self._utf8.decode(self.masks.vocabulary.token_bytes[token_id] or b"")
        if self.stops.strings:
            self._stopped_at = self.stops.find(self.text, self._searched)
            self._searched = max(0, len(self.text) - max(map(len, self.stops.strings)) + 1)

    def settle(self) -> bool:
        """Whether the text is finished: ended, stopped, or nothing can follow."""
        return self.state is ENDED or self._stopped_at is not None or self.state.is_final

    def certain_text(self) -> str:
        """What has been written and will stay."""
        if self._stopped_at is not None:
            return self.text[: self._stopped_at]
        held_back = 0 if self.settle() else self.stops.held_back(self.text)
        return self.text[: len(self.text) - held_back]

    def completion(self) -> Completion:
        finish: Finish = "stopped" if self._stopped_at is not None else "closed" if self.was_narrowed else "accepted"
        return Completion(self.text[: self._stopped_at], tuple(self.token_ids), self.forward_passes, finish)


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that end a text, by the model's generation config and the tokenizer."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return sorted({id_ for id_ in (*ids, tokenizer.eos_token_id) if id_ is not None})
