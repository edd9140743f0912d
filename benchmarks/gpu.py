"""Checks on an accelerator that texts are those of the CPU, and measures tokens a second beside plain ``generate``, in five minutes.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cuda:1 --parts texts speed --json RESULT.json
    python benchmarks/gpu.py --device cpu --tasks 2

The model is SmolLM2 (135 million parameters). ``texts`` compares in float32: alone, in a batch, behind what is kept of other prompts, in
both spellings, by ``generate``, with weights in the memory of the CPU and on both devices, in a static cache. Where a text is another one,
the scores of both tokens at the first difference are taken on the CPU: rounding decides between scores that are nearly equal, and nothing
else may. The exit status is 1 if anything else did. What does not fit into the minutes is left out, and said.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from generation_tasks import MIXED, Task, prompt_of
from rich.console import Console
from tables import figures_table

from rellm_agents.decoding import Completion, ConstrainedDecoder, smollm2

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PARTS = ("texts", "speed")
NEARLY_EQUAL = 1e-2
"""Scores that differ by less are decided by rounding."""
_accelerate: Any = import_module("accelerate")  # it has no types
_CONTEXT = "\nThen tell it once more."


class GpuBench:
    """The comparisons of one model on two devices.

    Args:
        model: a transformers causal model in float32 on the CPU.
        tokenizer: its fast tokenizer.
        device: the other one.
        tasks: what is written.
        repetitions: of each timed measurement.
        seconds: after so many no new measurement begins.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        device: torch.device,
        *,
        tasks: Sequence[Task],
        repetitions: int = 3,
        seconds: float = 270.0,
    ) -> None:
        self.model, self.tokenizer, self.device = model, tokenizer, device
        self.tasks, self.repetitions = tasks, repetitions
        self._prompts = [prompt_of(task, tokenizer) for task in tasks]
        self._patterns = [task.pattern() for task in tasks]
        self._ends = perf_counter() + seconds
        self.left_out: list[str] = []

    def _copied(self, dtype: torch.dtype = torch.float32) -> Any:
        copied: Any = copy.deepcopy(self.model)
        return copied.to(dtype).to(self.device)

    # The same texts

    def texts(self) -> dict[str, Any]:
        """How many texts are those of the CPU, how many differ by rounding, and how many by something else, in each way of writing."""
        expected = dict(self._written(ConstrainedDecoder(self.model, self.tokenizer)))
        found: dict[str, Any] = {}
        ways: dict[str, Callable[[], Any]] = {
            "weights on the device": self._copied,
            "weights in the CPU's memory": lambda: _accelerate.cpu_offload(copy.deepcopy(self.model), self.device),
            "every second layer in the CPU's memory": self._dispatched,
        }
        for place, make in ways.items():
            if self._is_late(place):
                continue
            for name, texts in self._written(ConstrainedDecoder(make(), self.tokenizer), is_full=place == "weights on the device"):
                found[f"{place}, {name}"] = self._compared(expected[name], texts)
        if not self._is_late("static cache"):
            model = self._copied()
            found["static cache, by generate"] = self._compared(
                expected["by generate"], self._generated(model, cache_implementation="static")
            )
        return found

    def _written(self, decoder: ConstrainedDecoder, *, is_full: bool = True) -> Iterator[tuple[str, list[tuple[str, list[int]]]]]:
        """All texts in each way, or in two, each with its prompt."""
        most = [task.max_new_tokens for task in self.tasks]
        for spelling in ("canonical", "any") if is_full else ():
            alone = [
                decoder.generate(prompt, pattern, max_new_tokens=limit, spelling=spelling, healing=False)
                for prompt, pattern, limit in zip(self._prompts, self._patterns, most, strict=True)
            ]
            yield f"alone, {spelling}", _token_ids(self._prompts, alone)
        options: Any = {"max_new_tokens": max(most), "healing": False}
        yield "in a batch", _token_ids(self._prompts, decoder.generate(self._prompts, self._patterns, **options))
        longer = [prompt + _CONTEXT for prompt in self._prompts]
        yield "behind what is kept", _token_ids(longer, decoder.generate(longer, self._patterns, **options))
        if is_full:
            yield "by generate", self._generated(decoder.model)

    def _generated(self, model: Any, **given: Any) -> list[tuple[str, list[int]]]:
        decoder = ConstrainedDecoder(model, self.tokenizer)
        inputs = self.tokenizer(self._prompts, return_tensors="pt", padding=True, padding_side="left").to(self.device)
        if model is self.model:
            inputs = inputs.to("cpu")
        loop = decoder.custom_generate(self._patterns)
        limit = max(task.max_new_tokens for task in self.tasks)
        model.generate(**inputs, max_new_tokens=limit, do_sample=False, custom_generate=loop, **given)
        return _token_ids(self._prompts, loop.completions)

    def _dispatched(self) -> Any:
        model: Any = copy.deepcopy(self.model)
        inner = getattr(model, model.base_model_prefix)
        places: dict[str, Any] = {name: self.device for name, _ in model.named_children() if name != model.base_model_prefix}
        for name, part in inner.named_children():
            if isinstance(part, torch.nn.ModuleList):
                names = [f"{model.base_model_prefix}.{name}.{number}" for number in range(len(part))]
                places |= {one: "cpu" if number % 2 else self.device for number, one in enumerate(names)}
            else:
                places[f"{model.base_model_prefix}.{name}"] = self.device
        return _accelerate.dispatch_model(model, places, main_device=self.device, force_hooks=True)

    def _compared(self, expected: list[tuple[str, list[int]]], found: list[tuple[str, list[int]]]) -> dict[str, int]:
        gaps = [self._gap(prompt, one, other) for (prompt, one), (_, other) in zip(expected, found, strict=True) if one != other]
        rounded = sum(gap <= NEARLY_EQUAL for gap in gaps)
        return {"texts": len(found), "the same": len(found) - len(gaps), "rounding": rounded, "wrong": len(gaps) - rounded}

    @torch.inference_mode()
    def _gap(self, prompt: str, one: list[int], other: list[int]) -> float:
        """How far the CPU's scores of the two tokens are apart at which two texts part."""
        at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        if at is None:
            return float("inf")  # one text goes on where the other ends
        ids = torch.tensor([[*self.tokenizer(prompt)["input_ids"], *one[:at]]])
        scores = self.model(input_ids=ids, use_cache=False).logits[0, -1]
        return float((scores[one[at]] - scores[other[at]]).abs())

    # Speed

    def speed(self) -> dict[str, Any]:
        """Tokens a second of this package and of plain ``generate``, which writes as many tokens of each text."""
        found: dict[str, Any] = {}
        for dtype in (torch.float32, torch.bfloat16):
            name = str(dtype).removeprefix("torch.")
            if self._is_late(name):
                continue
            model = self._copied(dtype)
            decoder = ConstrainedDecoder(model, self.tokenizer, kept_bytes=0)
            for count in sorted({1, len(self.tasks)}):
                if not self._is_late(f"{name}, {count} at once"):
                    found[f"{name}, {count} at once"] = self._raced(model, decoder, count)
        return found

    def _raced(self, model: Any, decoder: ConstrainedDecoder, count: int) -> dict[str, Any]:
        prompts, patterns = self._prompts[:count], self._patterns[:count]
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left").to(self.device)
        ours, theirs, made, longest = [], [], list[Completion](), 0
        for _ in range(self.repetitions + 1):
            began = perf_counter()
            made = decoder.generate(prompts, patterns, max_new_tokens=max(task.max_new_tokens for task in self.tasks))
            between = perf_counter()
            longest = max(1, *(len(one.token_ids) for one in made))
            model.generate(**inputs, max_new_tokens=longest, min_new_tokens=longest, do_sample=False)[0].tolist()  # waits for the device
            ours.append(between - began)
            theirs.append(perf_counter() - between)
        tokens, seconds, peer = sum(len(one.token_ids) for one in made), median(ours[1:]), median(theirs[1:])  # the first warms up
        return {
            "tokens a second": tokens / seconds,
            "generate": tokens / peer,
            "ratio": peer / seconds,
            "tokens": tokens,
            "passes": made[0].forward_passes if count == 1 else None,
        }

    def _is_late(self, what: str) -> bool:
        if perf_counter() < self._ends:
            return False
        self.left_out.append(what)
        return True


def _token_ids(prompts: Sequence[str], made: Sequence[Completion]) -> list[tuple[str, list[int]]]:
    return [(prompt, list(one.token_ids)) for prompt, one in zip(prompts, made, strict=True)]


def unusable(device: str) -> str:
    """Why a device cannot be used here; nothing if it can."""
    try:
        torch.zeros(1, device=device).tolist()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        return f"{device}: {str(error).splitlines()[0]}; give another with --device, such as --device cpu"
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, compare and measure, print tables; exit with 1 if a text was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--tasks", type=int, default=len(MIXED), help="how many texts (default: all)")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=4.5, help="after so many no new measurement begins (default: 4.5)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args(arguments)
    if reason := unusable(options.device):
        parser.error(reason)
    device = torch.device(options.device)
    model, tokenizer = smollm2()
    seconds, tasks = 60 * options.minutes, MIXED[: options.tasks]
    bench = GpuBench(model, tokenizer, device, tasks=tasks, repetitions=options.repetitions, seconds=seconds)
    console = Console()
    console.print(torch.cuda.get_device_name(device) if device.type == "cuda" else device.type, f"torch {torch.__version__}", sep=", ")
    figures: dict[str, Any] = {}
    for name in options.parts:
        figures[name] = getattr(bench, name)()
        console.print(figures_table(name, figures[name]))
    if bench.left_out:
        console.print(f"left out, as {options.minutes} minutes were over: {', '.join(bench.left_out)}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if any(one["wrong"] for one in figures.get("texts", {}).values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
