"""The masks of this package inside of engines of other projects, which run the model: each engine is imported in one module.

This face imports none of them. What batches of other projects share comes first, then each engine; in reading order:

    compiled_patterns  patterns that requests ask for, compiled once, and refused before they begin
    masked_sequence    one sequence held to a pattern and to its budget
    masked_batch       the sequences of a batch by row, with one operation on logits
    masked_slots       likewise, where rows are ordered anew at each step and drafts have rows of their own
    vllm               the class that vLLM loads
    sglang             the plug-in that SGLang loads
    llama_cpp          llama-cpp-python: GGUF files on the CPU
    ray                the rows of a data set, for Ray Data; Ray itself is not imported
    smolagents         a model for its agents
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rellm_agents.serving.engines.vllm import processor_for

__all__ = ["processor_for"]

if not TYPE_CHECKING:  # to a type checker, a name that is not imported above is an error

    def __getattr__(name: str) -> Any:
        """``processor_for``, imported when it is first asked for (PEP 562), since it needs torch."""
        if name != "processor_for":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from rellm_agents.serving.engines import vllm  # noqa: PLC0415 - not before it is needed

        found = globals()[name] = vllm.processor_for
        return found
