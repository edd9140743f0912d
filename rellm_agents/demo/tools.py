"""Wraps the calculator and the facts as LangChain tools with typed arguments.

Errors become observations that the model reads, because an exception would end the run of an ``AgentExecutor``.

>>> calculator.invoke({"expression": "6 * 7"})
'42'
>>> calculator.invoke({"expression": "6 / 0"})
"error: division by zero in '6 / 0'"
"""

from __future__ import annotations

from langchain_core.tools import BaseTool, ToolException, tool

from rellm_agents.demo.calculator import CalculationError, evaluate
from rellm_agents.demo.facts import UnknownName, fact_about


@tool
def look_up(name: str) -> str:
    """Look up a fact about a country, a planet, a person or a thing."""
    try:
        return fact_about(name)
    except UnknownName as error:
        raise ToolException(f"error: {error}") from error


@tool
def calculator(expression: str) -> str:
    """Work out an arithmetic expression."""
    try:
        value = evaluate(expression)
    except CalculationError as error:
        raise ToolException(f"error: {error}") from error
    return str(value) if isinstance(value, int) else f"{value:.12g}"


TOOLS: tuple[BaseTool, ...] = (look_up, calculator)
for _tool in TOOLS:
    _tool.handle_tool_error = True
