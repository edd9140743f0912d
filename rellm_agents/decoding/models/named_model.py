"""Loads the model that a caller names, with its tokenizer: a folder, a GGUF file, or a name on the Hugging Face hub.

>>> load_model("no/such/folder")
Traceback (most recent call last):
rellm_agents.errors.ModelNotFound: no/such/folder: no such folder or .gguf file, and not a name on the Hugging Face hub
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from huggingface_hub.utils import (
    HFValidationError,
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    validate_repo_id,
)
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from rellm_agents.errors import ModelNotFound
from rellm_agents.requirements import require

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    class GeneratingModel(PreTrainedModel):
        """What transformers' auto classes load, for type checkers: all that a model has, and ``generate``."""

        def generate(self, *args: Any, **kwargs: Any) -> Any:
            """As ``GenerationMixin.generate``."""

    Loaded = tuple[GeneratingModel, PreTrainedTokenizerFast]

_OF_FILES: Final = frozenset(
    {"cache_dir", "code_revision", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token", "trust_remote_code"}
)
"""Arguments that say where files come from: of the configuration and the tokenizer as well as of the model."""


def load_model(
    source: str | os.PathLike[str],
    *,
    model_kwargs: Mapping[str, Any] | None = None,
    device: Any = None,
    progress: bool = True,
) -> Loaded:
    """Load a causal language model, or one with an encoder such as T5, and its tokenizer.

    Args:
        source: the folder of a transformers model, a ``.gguf`` file, or a name on the Hugging Face hub. What exists as a path is a path.
        model_kwargs: for ``from_pretrained``, such as ``{"dtype": "bfloat16", "device_map": "auto"}``; those that say where files come
            from, such as ``revision``, hold for the tokenizer as well.
        device: where the model is put, such as ``"cuda"`` or ``0``; ``None`` or -1: where ``from_pretrained`` puts it.
        progress: show the progress bars of transformers and of the hub.

    Returns:
        The model in evaluation mode, and its tokenizer.

    Raises:
        ModelNotFound: nothing where ``source`` points, or nothing that transformers can load: gives its reason.
        MissingExtra: a GGUF file has to be read and ``gguf`` or ``accelerate`` is not installed.
    """
    place, options = located(source)
    options |= dict(model_kwargs or {})
    shared = {name: options[name] for name in (*_OF_FILES, "gguf_file") if name in options}
    with transformers_bars(shown=progress), named_in_errors(source, "a model and a tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(place, **shared)
        config = AutoConfig.from_pretrained(place, **shared)
        kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model = kind.from_pretrained(place, **options)
    return (model if device in (None, -1) else model.to(device)).eval(), tokenizer


def load_tokenizer(source: str | os.PathLike[str]) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a model without the model.

    Args:
        source: as for :func:`load_model`.

    Raises:
        ModelNotFound: nothing where ``source`` points, or nothing that transformers can load: gives its reason.
    """
    place, options = located(source)
    with named_in_errors(source, "a tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(place, **options)
    return cast("PreTrainedTokenizerFast", tokenizer)


def located(source: str | os.PathLike[str]) -> tuple[Path | str, dict[str, Any]]:
    """The place of a named model, and the arguments of ``from_pretrained`` for it."""
    name = os.fspath(source)
    path = Path(name)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelNotFound(f"{name}: this folder holds no transformers model: it has no config.json")
        return path, {}
    if path.is_file():
        if path.suffix != ".gguf":
            raise ModelNotFound(f"{name}: a model is a folder or a .gguf file; pass the folder that holds this file")
        require("gguf", "accelerate", extra="transformers", purpose=f"reading {path.name}")
        return path.parent, {"gguf_file": path.name}
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ModelNotFound(f"{name}: no such folder or .gguf file, and not a name on the Hugging Face hub") from error
    if isinstance(source, os.PathLike) or path.suffix == ".gguf":
        raise ModelNotFound(f"{name}: no such folder or .gguf file")
    return name, {}


@contextmanager
def named_in_errors(source: object, what: str) -> Iterator[None]:
    """Turns whatever transformers raises for the files of a model into a :class:`ModelNotFound` that names the place.

    A package that is not installed, and memory that does not suffice, are no matter of the files, and stay what they are.
    """
    try:
        yield
    except (ImportError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # it raises all kinds of errors for files that are damaged, tokenizers a bare Exception
        kind = "" if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: "
        raise ModelNotFound(f"{source}: transformers cannot load {what} from there: {kind}{error}") from error


@contextmanager
def transformers_bars(*, shown: bool) -> Iterator[None]:
    """Hide the progress bars of transformers and huggingface_hub unless ``shown``; afterwards they are as they were."""
    were_shown, hub_hidden = transformers_logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    if shown or not were_shown:
        yield
        return
    transformers_logging.disable_progress_bar()  # the hub's too
    try:
        yield
    finally:
        transformers_logging.enable_progress_bar()
        (disable_progress_bars if hub_hidden else enable_progress_bars)()
