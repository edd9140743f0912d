"""Reads the tools of an agent from a Python file: functions decorated with ``@tool``, or plain ones with annotations and a docstring.

The file is run, as Python runs any module that is imported: it is the user's own program. Imports ``langchain_core``, which is optional.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.tools import tool as made_tool

from rellm_agents.cli.terminal import text_of
from rellm_agents.errors import UnreadableInput

_MODULE = "rellm_agents_tools_file"
_ADVICE = "a tool is a function decorated with langchain_core.tools.tool, or one with annotated arguments and a docstring"


def tools_of_file(path: str) -> list[BaseTool]:
    """The tools that a Python file defines, in its order; those that ``__all__`` names, if it has that.

    Functions whose names begin with ``_``, that have no docstring, or that the file imports are no tools.

    Args:
        path: of the file.

    Raises:
        UnreadableInput: there is no such file, it cannot be run, or it has no tools: the line, and what is wrong there.
    """
    text = text_of(path)
    try:
        compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise UnreadableInput(path, f"this is not Python: {error.msg}", line=error.lineno, column=error.offset) from error
    except ValueError as error:  # a null character
        raise UnreadableInput(path, f"this is not Python: {error}") from error
    module = _run(path)
    chosen = getattr(module, "__all__", None)
    names = [name for name in vars(module) if not name.startswith("_")] if chosen is None else [str(name) for name in chosen]
    found = [tool for name in names if (tool := _tool(path, getattr(module, name, None), module.__name__)) is not None]
    if not found:
        raise UnreadableInput(path, f"it has no tools: {_ADVICE}")
    return found


def _tool(path: str, value: Any, module: str) -> BaseTool | None:
    if isinstance(value, BaseTool):
        return value
    if not isinstance(value, FunctionType) or value.__module__ != module or not inspect.getdoc(value):
        return None
    arguments = inspect.signature(value).parameters.values()
    bare = [one.name for one in arguments if one.annotation is inspect.Parameter.empty]
    if bare:
        name, found = value.__name__, ", ".join(bare)
        reason = f"the function {name!r} has arguments without annotations, {found}: annotate them, or call it _{name}"
        raise UnreadableInput(path, reason, line=value.__code__.co_firstlineno)
    with _errors_of(path, line=value.__code__.co_firstlineno):
        return made_tool(value)


def _run(path: str) -> ModuleType:
    """The file as a module. Modules beside it can be imported while it is run."""
    spec = importlib.util.spec_from_file_location(_MODULE, path, loader=importlib.machinery.SourceFileLoader(_MODULE, path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # where dataclasses and pydantic look for the names in annotations
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)
    try:
        with _errors_of(path):
            spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


@contextmanager
def _errors_of(path: str, *, line: int | None = None) -> Iterator[None]:
    """Says of an error of the user's program where in the file it comes from."""
    try:
        yield
    except (Exception, SystemExit) as error:
        inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        reason = " ".join(str(error).split()) or "no reason is given"
        raise UnreadableInput(path, f"{type(error).__name__}: {reason}", line=line or (inside[-1] if inside else None)) from error
