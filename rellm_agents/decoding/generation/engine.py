"""The engine of one model: all that its texts share, whether this package's decoder or ``model.generate`` runs the decode loop.

It holds the vocabulary, the masks of recent patterns, the model's scorer and what the model has read of recent texts. It makes sequences
and begins batches of them. Knows neither prompts as text nor what users get.

>>> Engine.begin.__name__
'begin'
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from hashlib import sha256
from numbers import Integral
from threading import RLock
from typing import TYPE_CHECKING

import torch

from rellm_agents.decoding.decisions import Decision, DecisionMaker, DecisionRequest, Reading, Tokenizations, options_of
from rellm_agents.decoding.forward import Fingerprint, ForwardPasses, PrefixCache, Scorer, begin, fingerprint_of, inside, rows_of, scorer_of
from rellm_agents.decoding.generation.decode_loop import Batch, most_read_before
from rellm_agents.decoding.generation.options import TextOptions, one_or_all
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.decoding.lru import LruCache
from rellm_agents.decoding.spelling import TokenMasks, speller_of
from rellm_agents.decoding.vocabulary import Vocabulary, digest_of, token_state
from rellm_agents.errors import ArgumentValueError, BudgetTooSmall, ContextOverflow, VocabularyError
from rellm_agents.patterns import Pattern

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_PATTERNS = 64
"""Patterns whose masks are remembered, the least recently used dropped first."""


class Engine:
    """Writes texts of patterns with one model. Safe to share between threads as far as the model is.

    What is known of the model and the tokenizer holds for what is in force: where weights, adapters, hooks, tokens or the tokens that end
    a text have changed since the last request, it is found out anew, and what was read with other weights is left aside.

    Args:
        model: a transformers causal language model, or one with an encoder.
        tokenizer: its fast tokenizer.
        kept_bytes: upper bound of the prefix cache.

    Attributes:
        vocabulary: the bytes of the tokenizer's tokens, with all tokens that end a text of this model.
        scorer: runs the model.
        prefix_cache: keys and values of recent texts.

    Raises:
        VocabularyError: the tokenizer's tokens cannot be read, or it has no end-of-text token.
        DecodingError: the model cannot write a text from left to right.
    """

    vocabulary: Vocabulary
    scorer: Scorer

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, kept_bytes: int) -> None:
        self.model, self._tokenizer = model, tokenizer
        self.prefix_cache = PrefixCache(kept_bytes)
        self._lock = RLock()
        self._tokens: Hashable = None  # that the vocabulary was read from
        self._in_force: Fingerprint | None = None
        self._digest: tuple[Hashable, str] | None = None  # with what it was computed for
        self.refresh()

    def _read_tokenizer(self) -> None:
        """Read the vocabulary, where tokens or ends have changed since it was read."""
        with self._lock:
            ends, rows = _end_ids(inside(self.model), self._tokenizer), rows_of(inside(self.model))
            tokens = (tuple(ends), rows, *token_state(self._tokenizer))
            if tokens != self._tokens:
                size = rows if rows is not None and rows < 1 + max(self._tokenizer.get_vocab().values()) else None
                self.vocabulary = Vocabulary.from_tokenizer(self._tokenizer, end_ids=ends, size=size)
                self._speller = speller_of(self.vocabulary)
                self._masks = LruCache(MAX_PATTERNS, partial(TokenMasks, vocabulary=self.vocabulary))
                self._tokens = tokens

    def _look_at_model(self) -> Fingerprint:
        """What is in force; where the model consists of other parts than before, how it goes on is found out anew."""
        with self._lock:
            found = fingerprint_of(self.model)
            if self._in_force is None or found.parts != self._in_force.parts:
                self.scorer = scorer_of(self.model)
            self._in_force = found
            return found

    def refresh(self) -> None:
        """Find out anew what has changed in the model and the tokenizer."""
        self._read_tokenizer()
        self._look_at_model()

    def clear(self) -> None:
        """Forget what was read and found out."""
        with self._lock:
            self.prefix_cache.clear()
            self._tokens = self._in_force = None
            self.refresh()

    @property
    def identity(self) -> str:
        """A digest of what texts depend on but for their prompts, patterns and options: weights, configuration, adapters and tokenizer.

        It is the same wherever they are loaded, so that it can stand in the key of a cache. Of weights a few elements are looked at.
        """
        with self._lock:
            self.refresh()
            if self._digest is None or self._digest[0] != (self._in_force, self._tokens):
                config = inside(self.model).config.to_dict()
                named = {name: value for name, value in config.items() if name not in ("_name_or_path", "transformers_version")}
                content = None if self._in_force is None else self._in_force.content
                parts = [type(inside(self.model)).__name__, sorted(map(repr, named.items())), content]
                digest = sha256(repr([parts, digest_of(self._tokenizer, end_ids=self.vocabulary.end_ids)]).encode()).hexdigest()
                self._digest = (self._in_force, self._tokens), digest
            return self._digest[1]

    def masks(self, pattern: Pattern) -> TokenMasks:
        """The masks of a pattern, shared by all its texts."""
        self._read_tokenizer()
        return self._masks[pattern]

    def sequences(
        self, prompts: Sequence[Sequence[int]], pattern: Pattern | Sequence[Pattern], options: TextOptions, *, before: int = 0
    ) -> list[TextSequence]:
        """Texts that are to be written, one after each prompt.

        Args:
            prompts: ids of each; or of what the decoder begins with, where there is an encoder.
            pattern: one for all prompts, or one for each.
            options: of all texts.
            before: how many positions are read before these ids, where prompts are embedded.

        Raises:
            BudgetTooSmall: a pattern needs more than the budget.
            ContextOverflow: a prompt leaves too little of the model's context for what may be written after it.
            ValueError: the numbers of prompts, patterns and seeds do not fit together, or ``logit_bias`` is given for a token that there
                is not.
            VocabularyError: a prompt has a token that the model does not have.
            TypeError: a pattern is none, but a regex or a schema.
        """
        self._check_tokens(prompts)
        if (highest := max(options.logit_bias or (), default=0)) >= self.vocabulary.size:
            raise ArgumentValueError.saying(f"logit_bias: there is no token {highest}, only 0 to {self.vocabulary.size - 1}")
        given = one_or_all(pattern)
        patterns = [given] * len(prompts) if isinstance(given, Pattern) else given
        seeds = _seeds(options, len(prompts))
        if not len(prompts) == len(patterns) == len(seeds):
            and_seeds = "" if len(prompts) == len(seeds) else f" and {len(seeds)} seeds"
            raise ArgumentValueError.saying(
                f"{len(prompts)} prompts with {len(patterns)} patterns{and_seeds}: give one for all, or one for each"
            )
        all_masks = [self.masks(one) for one in patterns]
        for masks in all_masks:
            needed = masks.tokens_needed(masks.start)
            if needed > options.max_new_tokens:
                raise BudgetTooSmall(needed, options.max_new_tokens)
        found = [
            TextSequence(masks, self._speller, prefix, options, seed=own_seed, pattern=own_pattern)
            for masks, prefix, own_seed, own_pattern in zip(all_masks, prompts, seeds, patterns, strict=True)
        ]
        for one in found:
            self._check_length(before + len(one.prefix), options.max_new_tokens, lambda one=one: one.most_tokens())  # type: ignore[misc]
        return found

    def _check_tokens(self, prompts: Sequence[Sequence[int]]) -> None:
        """Refuse tokens that were added to the tokenizer and not to the model."""
        rows = rows_of(inside(self.model))
        if rows is None or (highest := max(map(max, filter(None, prompts)), default=0)) < rows:
            return
        token = self._tokenizer.convert_ids_to_tokens(highest)
        raise VocabularyError(
            f"the prompt has the token {token!r} ({highest}), and {self.scorer.name} has {rows} tokens: "
            "call model.resize_token_embeddings(len(tokenizer)) after tokens are added to the tokenizer"
        )

    def _check_length(self, prompt: int, budget: int, needed: Callable[[], int]) -> None:
        """Refuse what is longer than the model's context: what is before a text, and its budget or, if it matters, its longest text."""
        context = self.scorer.context_length
        if context is not None and prompt + budget > context and prompt + (written := min(budget, needed())) > context:
            raise ContextOverflow(prompt, written, context, model=self.scorer.name)

    @property
    def max_rows(self) -> int:
        """How many texts are read in one pass at most."""
        return self.scorer.max_rows

    @torch.inference_mode()
    def begin(self, sequences: Sequence[TextSequence], prompts: Sequence[Sequence[int]]) -> Batch:
        """A batch of sequences that has read what is kept of their beginnings."""
        in_force, scorer = self._look_at_model(), self.scorer
        if not scorer.keeps_prompts:
            for one in sequences:
                one.consumed = 0
            encoded = scorer.encoded(prompts) if scorer.has_encoder else None
            return Batch(ForwardPasses(scorer, len(sequences), encoded=encoded), sequences, in_force=in_force)
        passes, read = begin(scorer, [one.committed[: most_read_before(one)] for one in sequences], self.prefix_cache, in_force)
        for one, length in zip(sequences, read, strict=True):
            one.consumed = length
            one.forward_passes += passes.made
        return Batch(passes, sequences, ended=self._keep, in_force=in_force)

    def _keep(self, batch: Batch, number: int, sequence: TextSequence) -> None:
        """Keep what was read of a sequence that has ended, if the model is still what it was."""
        if batch.in_force is not None and fingerprint_of(self.model) == batch.in_force:
            cache, positions = batch.passes.cache, batch.passes.cache_positions(number)
            self.prefix_cache.keep(sequence.committed[: sequence.consumed], cache, number, positions, batch.in_force)

    def prefixes(self, prompts: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        """The ids that each text follows: its prompt, or the token that the decoder begins with, where an encoder reads the prompt.

        Raises:
            ContextOverflow: a prompt is longer than what the encoder reads.
            VocabularyError: a prompt has a token that the model does not have.
        """
        self._check_tokens(prompts)
        if not self.scorer.has_encoder:
            return prompts
        longest, context = max(map(len, prompts), default=0), self.scorer.prompt_length
        if context is not None and longest > context:
            raise ContextOverflow(longest, 0, context, model=self.scorer.name)
        return [_decoder_start(inside(self.model))] * len(prompts)

    def decision(
        self,
        prompt: Sequence[int],
        options: Sequence[str] | Pattern,
        *,
        empty: Sequence[int] | None,
        tokenizations: Tokenizations,
        healing: bool,
    ) -> DecisionRequest:
        """A decision that is to be made behind a prompt.

        Args:
            prompt: its ids.
            options: texts, or a pattern of few.
            empty: ids of an empty input, to calibrate the decision with.
            tokenizations: which token rows of an option count.
            healing: the last tokens of the prompt may be written otherwise before an option.

        Raises:
            ContextOverflow, ValueError, VocabularyError: as :meth:`ConstrainedDecoder.probabilities`.
        """
        self._read_tokenizer()
        known = options_of(options)
        readings = [prompt] if empty is None else [prompt, empty]
        prefixes = self.prefixes(readings)
        again, rows = known.rows(self._speller, self.vocabulary, prefixes[0], healing=healing, tokenizations=tokenizations)
        changed = prefixes[0][len(prefixes[0]) - again :]
        kept = [one[: len(one) - again] if again < len(one) and one[len(one) - again :] == changed else one for one in prefixes]
        longest = max(len(row) for own in rows for row in own)
        for one in kept:
            self._check_length(len(one), longest, lambda: longest)
        return DecisionRequest(known.texts, rows, *(Reading(ids, prefix) for ids, prefix in zip(readings, kept, strict=True)))

    def decide(self, requests: Sequence[DecisionRequest]) -> list[Decision]:
        """The decisions of some requests, made together."""
        in_force = self._look_at_model()
        return DecisionMaker(self.scorer, self.prefix_cache, in_force, self.vocabulary.end_ids).run(requests)


def _seeds(options: TextOptions, count: int) -> list[int | None]:
    """A seed for each text; where none is given and something is drawn, from the source of chance that ``transformers.set_seed`` sets."""
    if options.seed is None:
        draws = options.temperature > 0 or options.selection == "exact"
        return [*torch.randint(1 << 62, (count,)).tolist()] if draws else [None] * count
    return [int(options.seed)] * count if isinstance(options.seed, int | Integral) else [int(seed) for seed in options.seed]


def _end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that end a text, by the model's generation config and the tokenizer."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return sorted({id_ for id_ in (*ids, tokenizer.eos_token_id) if id_ is not None})


def _decoder_start(model: PreTrainedModel) -> tuple[int, ...]:
    """The token that texts begin with, where an encoder reads the prompt."""
    start = model.generation_config.decoder_start_token_id
    if start is None:
        raise ArgumentValueError.saying(
            f"{type(model).__name__} does not say which token its texts begin with: set generation_config.decoder_start_token_id"
        )
    return (start,)
