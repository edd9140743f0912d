"""Has a model answer items in several modes: free, held by this package, held by llguidance, after a thought, or by decision.

All are greedy, see the same chat and have the same number of tokens at most; only ``thought`` sees thoughts in its examples.
Knows neither what is right nor how modes are compared.

>>> MODES
('free', 'ours', 'llguidance', 'thought', 'decisions')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from engines import LLGuidance, Matcher, installed
from transformers import LogitsProcessor

from answering.items import ANSWER, THOUGHT, Item
from rellm_agents import Pattern, compile_schema
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.forward import AllowedTokens, PrefixCache
from rellm_agents.decoding.forward.cache_names import cache_name
from rellm_agents.decoding.forward.fingerprint import fingerprint_of
from rellm_agents.decoding.forward.prefix_cache import Prefix, common_length
from rellm_agents.patterns import lexeme, literal, not_containing, part, sequence

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MODES = ("free", "ours", "llguidance", "thought", "decisions")
SHARE_OF_THOUGHT = 0.5
"""Of the tokens of an answer, as many may be a thought."""


@dataclass(frozen=True)
class Answer:
    """What a model wrote for an item: the text, its tokens, and in mode ``thought`` the thought that stood before it."""

    text: str
    token_ids: tuple[int, ...]
    thought: str = ""


class Answerer:
    """Answers items with one model.

    Args:
        model: a transformers causal model.
        tokenizer: its fast tokenizer.
        max_new_tokens: of an answer, with the thought and the end of text.
        spelling: of texts that this package writes, as in ``TextOptions``.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, max_new_tokens: int = 64, spelling: Any = "canonical"
    ) -> None:
        self.model, self.tokenizer, self.max_new_tokens = model, tokenizer, max_new_tokens
        self.decoder = ConstrainedDecoder(model, tokenizer)
        self._spelling = spelling
        self._read_before = PrefixCache()  # of the modes that are not our own
        self._peer = LLGuidance(tokenizer) if installed(["llguidance"]) else None
        self._grammar = lru_cache(maxsize=64)(self._compile_for_peer)

    def modes(self) -> list[str]:
        """The modes that can be had: llguidance is an extra."""
        return [mode for mode in MODES if mode != "llguidance" or self._peer is not None]

    def answer(self, mode: str, items: Sequence[Item]) -> list[Answer | None]:
        """The answers in a mode, written together; ``None`` where it does not apply, as decisions without options."""
        fit = [item for item in items if mode != "decisions" or item.options]
        write: Callable[[Sequence[Item]], list[Answer]] = getattr(self, mode)
        found = iter(write(fit) if fit else ())
        return [next(found) if item in fit else None for item in items]

    def prompt(self, item: Item, *, thought_first: bool = False) -> str:
        """The chat in the template of the model; without a template, turn by turn."""
        turns = item.turns(thought_first=thought_first)
        if self.tokenizer.chat_template is None:
            return "".join(f"{turn['content']}\n" + "\n" * (turn["role"] == "assistant") for turn in turns)
        text: Any = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return str(text)

    def prompt_ids(self, item: Item) -> list[int]:
        """The tokens of the prompt; a template has written the special ones itself."""
        ids: list[int] = self.tokenizer.encode(self.prompt(item), add_special_tokens=self.tokenizer.chat_template is None)
        return ids

    def free(self, items: Sequence[Item]) -> list[Answer]:
        """The texts that transformers writes, with nothing that holds them."""
        return self._generate(items, [])

    def llguidance(self, items: Sequence[Item]) -> list[Answer]:
        """The texts that transformers writes under the masks of llguidance, whose white space is free."""
        assert self._peer is not None, "the mode is asked for where modes() has it"
        matchers = [self._peer.start(self._grammar(schema_text(item))) for item in items]
        return self._generate(items, [_Masks(matchers, self.decoder.vocabulary.end_ids)])

    def ours(self, items: Sequence[Item]) -> list[Answer]:
        """The texts that this package writes under the schemas."""
        patterns = [pattern_of(schema_text(item)) for item in items]
        made = self.decoder.generate([self.prompt(item) for item in items], patterns, **self._options())
        return [Answer(one.text, one.token_ids) for one in made]

    def thought(self, items: Sequence[Item]) -> list[Answer]:
        """A free thought in one line each, then the texts under the schemas."""
        free = part("thought", lexeme(not_containing("\n")))
        patterns = [Pattern(sequence(literal(THOUGHT), free, literal(ANSWER), pattern_of(schema_text(item)).node)) for item in items]
        prompts, budget = [self.prompt(item, thought_first=True) for item in items], int(self.max_new_tokens * SHARE_OF_THOUGHT)
        made = self.decoder.generate(prompts, patterns, part_tokens={"thought": budget}, **self._options())
        cut = [(one.text.partition(ANSWER), one.token_ids) for one in made]
        return [Answer(text, token_ids, before.removeprefix(THOUGHT).strip()) for (before, _, text), token_ids in cut]

    def decisions(self, items: Sequence[Item]) -> list[Answer]:
        """The likeliest of the options of each."""
        special = self.tokenizer.chat_template is None
        found = [self.decoder.probabilities(self.prompt(item), item.options, add_special_tokens=special, healing=False) for item in items]
        return [Answer(one.best, ()) for one in found]

    def _generate(self, items: Sequence[Item], processors: list[LogitsProcessor]) -> list[Answer]:
        """Greedy texts of ``model.generate``. What the prompts begin with alike is read once for all; padding stands behind it."""
        prompts, end_ids = [self.prompt_ids(item) for item in items], list(self.decoder.vocabulary.end_ids)
        longest, shortest = max(map(len, prompts)), min(map(len, prompts))
        shared = min(shortest - 1, *(common_length(prompts[0], ids) for ids in prompts))
        in_force = fingerprint_of(self.model)
        cache, _ = Prefix.joined([self._read_before.find(prompts[0][:shared], in_force)] * len(prompts), self.model.config)
        generate: Any = self.model.generate
        made = generate(
            self._tensor([[*ids[:shared], *[end_ids[0]] * (longest - len(ids)), *ids[shared:]] for ids in prompts]),
            attention_mask=self._tensor([[1] * shared + [0] * (longest - len(ids)) + [1] * (len(ids) - shared) for ids in prompts]),
            **{str(cache_name(self.model.forward)): cache},
            logits_processor=processors,
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # some models bring a penalty of their own
            eos_token_id=end_ids,
            pad_token_id=end_ids[0],
        )
        if shared:
            self._read_before.keep(prompts[0][:shared], cache, 0, torch.arange(shared), in_force)
        return [self._read(list(takewhile(lambda one: one not in end_ids, row))) for row in made[:, longest:].tolist()]

    def _tensor(self, rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor(rows, device=self.model.device)

    def _options(self) -> dict[str, Any]:
        return {
            "max_new_tokens": self.max_new_tokens,
            "add_special_tokens": self.tokenizer.chat_template is None,
            "healing": False,  # so that a text begins with the token with which the free one may
            "spelling": self._spelling,
        }

    def _read(self, ids: list[int]) -> Answer:
        text: Any = self.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        return Answer(str(text), tuple(ids))

    def _compile_for_peer(self, schema: str) -> Any:
        assert self._peer is not None
        return self._peer.compile(schema)


@lru_cache(maxsize=64)
def pattern_of(schema: str) -> Pattern:
    """The pattern of the text of a schema."""
    return compile_schema(json.loads(schema))


def schema_text(item: Item) -> str:
    """The schema of an item's answers as JSON text."""
    return json.dumps(item.schema)


class _Masks(LogitsProcessor):
    """Denies what the matchers of a batch deny; a text that its engine gave up ends."""

    def __init__(self, matchers: Sequence[Matcher], end_ids: Sequence[int]) -> None:
        self._running, self._end_ids, self._has_begun = dict(enumerate(matchers)), end_ids, False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for row, matcher in list(self._running.items()):
            last = int(input_ids[row, -1])
            if self._has_begun and last in self._end_ids:
                del self._running[row]
                continue
            if self._has_begun:
                matcher.advance(last)
            matcher.fill()
            if not matcher.mask.any():
                scores[row] = -torch.inf
                scores[row, self._end_ids[0]] = 0
            else:
                AllowedTokens(matcher.mask.view(np.uint32), min(scores.shape[1], 32 * len(matcher.mask))).apply_(scores[row])
        self._has_begun = True
        return scores
