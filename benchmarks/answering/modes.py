"""Has a model answer items in several modes: free, held by this package, held by llguidance, after a thought, or by decision.

All are greedy, see the same chat and have the same number of tokens at most; only ``thought`` sees thoughts in its examples.
Knows neither what is right nor how modes are compared.

>>> MODES
('free', 'ours', 'llguidance', 'thought', 'decisions')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from engines import LLGuidance, installed
from peer_loop import write_under

from answering.items import ANSWER, THOUGHT, Item
from rellm_agents import Pattern, compile_schema
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.forward import PrefixCache
from rellm_agents.decoding.forward.cache_names import cache_name
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
        lacks = {"llguidance": self._peer is None, "decisions": not hasattr(self.decoder, "probabilities")}
        return [mode for mode in MODES if not lacks.get(mode, False)]

    def answer(self, mode: str, item: Item) -> Answer | None:
        """The answer in a mode; ``None`` where it does not apply, as decisions without options."""
        if mode == "decisions" and not item.options:
            return None
        write: Callable[[Item], Answer] = getattr(self, mode)
        return write(item)

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

    def free(self, item: Item) -> Answer:
        """The text that transformers writes, with nothing that holds it."""
        ids, end_ids = self.prompt_ids(item), list(self.decoder.vocabulary.end_ids)
        generate: Any = self.model.generate
        with self._cache(ids) as cache:
            made = generate(
                torch.tensor([ids]),
                attention_mask=torch.ones((1, len(ids)), dtype=torch.long),
                **{str(cache_name(self.model.forward)): cache},
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,  # models bring a penalty of their own
                eos_token_id=end_ids,
                pad_token_id=end_ids[0],
            )
        return self._read([one for one in made[0, len(ids) :].tolist() if one not in end_ids])

    def ours(self, item: Item) -> Answer:
        """The text that this package writes under the schema."""
        made = self.decoder.generate(self.prompt(item), pattern_of(schema_text(item)), **self._options())
        return Answer(made.text, made.token_ids)

    def thought(self, item: Item) -> Answer:
        """A free thought in one line, then the text under the schema."""
        free = part("thought", lexeme(not_containing("\n")))
        pattern = Pattern(sequence(literal(THOUGHT), free, literal(ANSWER), pattern_of(schema_text(item)).node))
        budget = int(self.max_new_tokens * SHARE_OF_THOUGHT)
        made = self.decoder.generate(self.prompt(item, thought_first=True), pattern, part_tokens={"thought": budget}, **self._options())
        before, _, text = made.text.partition(ANSWER)
        return Answer(text, made.token_ids, before.removeprefix(THOUGHT).strip())

    def llguidance(self, item: Item) -> Answer:
        """The text written token by token under the masks of llguidance, whose white space is free."""
        assert self._peer is not None, "the mode is asked for where modes() has it"
        matcher = self._peer.start(self._grammar(schema_text(item)))
        ids = self.prompt_ids(item)
        end_ids = self.decoder.vocabulary.end_ids
        with self._cache(ids) as cache:
            made = write_under(self.model, matcher, ids, _likeliest, max_new_tokens=self.max_new_tokens, end_ids=end_ids, cache=cache)
        return self._read(made)

    def decisions(self, item: Item) -> Answer:
        """The likeliest of the options."""
        decoder: Any = self.decoder
        found = decoder.probabilities(self.prompt(item), list(item.options))
        return Answer(max(zip(found.probabilities, item.options, strict=True))[1], ())

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

    @contextmanager
    def _cache(self, ids: list[int]) -> Iterator[Any]:
        """The keys and values of a beginning of the prompt, where one was read before; what is read within the block is kept."""
        cache, _ = self._read_before.find([ids[:-1]], self.model.config)
        yield cache
        self._read_before.keep(ids, cache, 0, torch.arange(len(ids)))

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


def _likeliest(logits: torch.Tensor) -> int:
    return int(logits.argmax())
