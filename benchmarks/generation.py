"""Measures the cost of constrained texts with a real model, compared with transformers alone and with xgrammar's masks.

    python benchmarks/generation.py
    python benchmarks/generation.py --data SCHEMAS.jsonl.gz --limit 300 --parts wall passes spelling --json RESULT.json

The model is SmolLM2 (135 million parameters, float32). Engines take turns within each repetition; ratios are ratios of medians.
Without ``--data`` the schemas are a few generated ones, always the same: all parts then take some seven minutes on two
cores. Peers come with the extra ``bench``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from answering.progress import Step, quiet, shown
from decode_loop import BATCHES, TEXTS, decode_loop
from engines import Engine, NotCompiled, engines, installed
from generation_tasks import ACTIONS, FREE, MIXED, OBJECT, Task, agent_prompts, prompt_of
from rich.console import Console
from schema_cases import SchemaCase, generated, read
from tables import figures_table
from transformers import DynamicCache

from rellm_agents import Pattern, compile_schema
from rellm_agents.decoding import Completion, ConstrainedDecoder, smollm2
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.cache_names import cache_name
from rellm_agents.decoding.forward.passes import ForwardPasses
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.errors import BudgetTooSmall, RELLMError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PARTS = ("wall", "loop", "passes", "prefill", "spelling", "allowed_probability")
GENERATED, QUESTIONS, STEPS, LONGEST, DRAWN = 3, 3, 5, 160, 96
_ASK = "Write an example as JSON.\n"


class Bench:
    """The measurements with one model.

    Args:
        model: a transformers causal model.
        tokenizer: its fast tokenizer.
        repetitions: of each timed measurement.
        step: is told how far the measurements are.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, repetitions: int, step: Step = quiet) -> None:
        self.model, self.tokenizer, self.repetitions, self._step = model, tokenizer, repetitions, step
        self.decoder = ConstrainedDecoder(model, tokenizer, kept_bytes=0)
        self._compiler: Any = None
        self._peers: list[Engine] = engines(tokenizer, installed(), "spaced")[1:]

    def wall(self) -> dict[str, Any]:
        """Seconds for whole texts, greedy: this package, and the other engine."""
        return {
            "object of 12 properties / xgrammar": self._against(OBJECT, self._with_xgrammar),
            "JSON action step / xgrammar": self._against(ACTIONS, self._with_xgrammar),
            "free text / unconstrained": self._against(FREE, self._unconstrained),
            f"batch of {len(MIXED)}, tokens a second / unconstrained": self._batches(),
        }

    def loop(self) -> dict[str, Any]:
        """Milliseconds a token, where the model is so small that the loop around it is what takes the time."""
        return decode_loop(self.tokenizer, self.repetitions, self._step)

    def _against(self, task: Task, peer: Callable[[Task], int]) -> dict[str, Any]:
        ours, theirs, made, tokens = [], [], None, 0
        pattern = task.pattern()
        for _ in range(self.repetitions + 1):
            began = perf_counter()
            made = self.decoder.generate(prompt_of(task, self.tokenizer), pattern, max_new_tokens=task.max_new_tokens, on_budget="close")
            between = perf_counter()
            tokens = peer(task)
            ours.append(between - began)
            theirs.append(perf_counter() - between)
            self._step("wall", 1)
        assert made is not None
        ours, theirs = ours[1:], theirs[1:]  # the first warms up
        return {
            "ratio": median(ours) / median(theirs),
            "seconds": median(ours),
            "peer": median(theirs),
            "passes": made.forward_passes,
            "tokens": len(made.token_ids),
            "tokens of peer": tokens,
        }

    def _with_xgrammar(self, task: Task) -> int:
        xgrammar: Any = import_module("xgrammar")  # an extra
        if self._compiler is None:
            info = xgrammar.TokenizerInfo.from_huggingface(self.tokenizer, vocab_size=self.model.config.vocab_size)
            self._compiler = xgrammar.GrammarCompiler(info)
        grammar = self._compiler.compile_json_schema(json.dumps(task.schema))
        return self._unconstrained(task, logits_processor=[import_module("xgrammar.contrib.hf").LogitsProcessor(grammar)])

    def _unconstrained(self, task: Task, **options: Any) -> int:
        inputs = self.tokenizer(prompt_of(task, self.tokenizer), return_tensors="pt")
        generate: Any = self.model.generate
        made = generate(**inputs, max_new_tokens=task.max_new_tokens, do_sample=False, **options)
        return int(made.shape[1] - inputs["input_ids"].shape[1])

    def _batches(self) -> dict[str, Any]:
        """Tokens per second in a batch of different patterns, compared with the same prompts unconstrained, up to the longest of our texts.

        Our texts end at different times and leave the batch then. ``ratio`` counts for both as many tokens of each text as ours has;
        ``all rows to the end`` counts all tokens that transformers wrote.
        """
        prompts = [prompt_of(task, self.tokenizer) for task in MIXED]
        patterns = [task.pattern() for task in MIXED]
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
        ours, theirs, tokens, plain = [], [], 0, 0
        generate: Any = self.model.generate
        for _ in range(self.repetitions + 1):
            began = perf_counter()
            made = self.decoder.generate(prompts, patterns, max_new_tokens=LONGEST, on_budget="close")
            between = perf_counter()
            tokens = sum(len(one.token_ids) for one in made)
            longest = max(len(one.token_ids) for one in made)
            rows = generate(**inputs, max_new_tokens=longest, min_new_tokens=longest, do_sample=False)
            ours.append(between - began)
            theirs.append(perf_counter() - between)
            plain = rows.shape[0] * longest
            self._step("wall", 1)
        seconds, peer = median(ours[1:]), median(theirs[1:])
        return {
            "ratio": peer / seconds,
            "all rows to the end": (tokens / seconds) / (plain / peer),
            "seconds": seconds,
            "peer": peer,
            "tokens": tokens,
            "tokens of peer": plain,
        }

    def passes(self, rows: Sequence[SchemaCase]) -> dict[str, Any]:
        """Forward passes per token if a model writes the shortest text of each schema; needs no model."""
        passes = tokens = otherwise = 0
        for pattern in _patterns(rows):
            self._step("passes", 1)
            target = self.tokenizer.encode("\n" + pattern.shortest(), add_special_tokens=False)[1:]
            masks = self.decoder.masks(pattern)
            budget = max(masks.tokens_needed(masks.start), len(target) + 1) + 2
            (row,) = self.decoder.engine.sequences([[0]], pattern, TextOptions(max_new_tokens=budget, healing=False))
            while not row.is_finished:
                passes += 1
                row.choose_next(partial(_next_of, row, target))
            tokens += len(row.committed) - 1
            otherwise += row.committed[1:] != target
        return {"passes a token": passes / tokens, "passes": passes, "tokens": tokens, "texts written otherwise": otherwise}

    def prefill(self) -> dict[str, Any]:
        """Tokens that the model reads before its first choice, in the steps of one agent run, with and without the prefix cache."""
        counts = []
        for kept_bytes in (256 << 20, 0):
            decoder, read, prompt = ConstrainedDecoder(self.model, self.tokenizer, kept_bytes=kept_bytes), [], agent_prompts("react")[0]
            pattern = ACTIONS.pattern()
            for _ in range(STEPS):
                with _count_prompt_tokens() as fed:
                    made = decoder.generate(prompt, pattern, max_new_tokens=96, on_budget="close")
                self._step("prefill", 1)
                read.append(fed[0])
                prompt += f"{made.text}\nObservation: nothing was found\nThought:"
            counts.append(sum(read))
        return {"ratio": counts[0] / counts[1], "tokens": counts[0], "without": counts[1]}

    def spelling(self, rows: Sequence[SchemaCase]) -> dict[str, Any]:
        """The share of texts, drawn at temperature 1, whose tokens are those that the tokenizer would produce."""
        found: dict[str, list[bool]] = {}
        for number, row in enumerate(rows):
            for pattern in _patterns([row]):
                made = self._made(pattern, number)
                if made is not None:
                    found.setdefault("ours", []).append(self._is_canonical(list(made)))
            for peer in self._peers:
                with suppress(NotCompiled):
                    found.setdefault(peer.name, []).append(self._is_canonical(self._drawn(peer, row, number)))
            self._step("spelling", 1)
        return {name: {"share": fmean(same), "texts": len(same)} for name, same in found.items()}

    def _made(self, pattern: Pattern, seed: int) -> tuple[int, ...] | None:
        options: dict[str, Any] = {"max_new_tokens": DRAWN, "temperature": 1.0, "seed": seed, "healing": False, "on_budget": "close"}
        try:
            made: Completion = self.decoder.generate(_ASK, pattern, **options)
        except BudgetTooSmall:
            return None
        return made.token_ids

    def _is_canonical(self, ids: list[int]) -> bool:
        text: Any = self.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        return bool(self.tokenizer.encode("\n" + text, add_special_tokens=False)[1:] == ids)

    @torch.inference_mode()
    def _drawn(self, engine: Engine, row: SchemaCase, seed: int) -> list[int]:
        """A text drawn token by token under the masks of a peer."""
        matcher = engine.start(engine.compile(json.dumps(row.schema)))
        chance, cache, ids = torch.Generator().manual_seed(seed), DynamicCache(config=self.model.config), list[int]()
        new, keep = list(self.tokenizer(_ASK)["input_ids"]), {str(cache_name(self.model.forward)): cache, "use_cache": True}
        while len(ids) < DRAWN:
            logits = self.model(input_ids=torch.tensor([new]), **keep).logits[0, -1].float()
            matcher.fill()
            if not matcher.mask.any():  # the engine gave up
                break
            size = min(len(logits), 32 * len(matcher.mask))
            AllowedTokens(matcher.mask.view(np.uint32), size).apply_(logits)
            chosen = int(torch.multinomial(logits.softmax(0), 1, generator=chance))
            if chosen == self.tokenizer.eos_token_id:
                break
            matcher.advance(chosen)
            ids.append(chosen)
            new = [chosen]
        return ids

    def allowed_probability(self, questions: int) -> dict[str, Any]:
        """Mean logarithm of the model's probability of the allowed tokens, on as many agent prompts."""
        found = {}
        for name, pattern, prompts in step_patterns():
            logs = [
                one
                for prompt in prompts[:questions]
                for one in self.decoder.generate(
                    prompt, pattern, max_new_tokens=96, part_tokens={"thought": 40} if "thought" in name else {}, measure=["kept"]
                ).kept
                or ()
            ]
            found[name] = {"mean log": fmean(logs), "tokens": len(logs)}
            self._step("allowed_probability", 1)
        return found


def step_patterns() -> list[tuple[str, Pattern, list[str]]]:
    """The same JSON step with three settings of whitespace, and after a free thought."""
    from rellm_agents.patterns import lexeme, literal, not_containing, part, sequence  # noqa: PLC0415

    prompts = agent_prompts("json_action")
    found: list[tuple[str, Pattern, list[str]]] = [
        (kind, compile_schema(ACTIONS.schema, whitespace=kind), prompts) for kind in ("spaced", "compact", "flexible")
    ]
    thought = part("thought", lexeme(not_containing("\n")))
    after_thought = Pattern(sequence(literal("Thought:"), thought, literal("\n"), found[0][1].node))
    return [*found, ("spaced, after a thought", after_thought, prompts)]


def _patterns(rows: Sequence[SchemaCase]) -> list[Pattern]:
    found: list[Pattern] = []
    for row in rows:
        try:
            found.append(compile_schema(row.schema))
        except (RELLMError, ValueError):
            continue
    return found


def _next_of(row: TextSequence, target: list[int], _at: int, allowed: AllowedTokens) -> int:
    """The next token of the target, or the end; the first allowed token if the text differs from the target already."""
    written, ids = row.committed[1:], allowed.ids_allowed()
    is_as_wanted = written == target[: len(written)] and len(written) < len(target)
    wanted = target[len(written)] if is_as_wanted else row.masks.vocabulary.end_ids[0]
    return wanted if bool((ids == wanted).any()) else int(ids[0])


class _count_prompt_tokens:  # noqa: N801 - reads as what it does
    """Counts the tokens of all forward passes within the block, pass by pass."""

    def __enter__(self) -> list[int]:
        self.found: list[int] = []
        forward = self._forward = ForwardPasses.forward

        def counting(passes: ForwardPasses, tokens: Sequence[Sequence[int]], scored: int) -> Any:
            self.found.append(sum(map(len, tokens)))
            return forward(passes, tokens, scored)

        ForwardPasses.forward = counting  # type: ignore[method-assign, assignment]
        return self.found

    def __exit__(self, *_: object) -> None:
        ForwardPasses.forward = self._forward  # type: ignore[method-assign]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="schemas: a .jsonl or .jsonl.gz file of id, schema, tests [{data, valid}]")
    parser.add_argument("--limit", type=int, help="how many schemas, and questions of an agent, at most")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: 2)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args(arguments)
    if "wall" in options.parts and "xgrammar" not in installed():
        parser.error("the part 'wall' needs xgrammar: pip install 'rellm-agents[bench]'")
    rows = read(options.data, options.limit) if options.data else [generated(seed) for seed in range(options.limit or GENERATED)]
    torch.set_num_threads(options.threads)
    model, tokenizer = smollm2()
    over: dict[str, tuple[Any, ...]] = {"passes": (rows,), "spelling": (rows,), "allowed_probability": (options.limit or QUESTIONS,)}
    counts = {
        "wall": 4 * (options.repetitions + 1),
        "loop": 2 * len(TEXTS) * len(BATCHES) * (options.repetitions + 1),
        "passes": len(rows),
        "prefill": 2 * STEPS,
        "spelling": len(rows),
        "allowed_probability": 4,
    }
    figures: dict[str, Any] = {}
    with shown(sum(counts[name] for name in options.parts)) as step:
        bench = Bench(model, tokenizer, options.repetitions, step)
        for name in options.parts:
            figures[name] = getattr(bench, name)(*over.get(name, ()))
    for name, found in figures.items():
        Console().print(figures_table(name, found))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
