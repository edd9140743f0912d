"""Patterns inside of engines of other projects: their own requests, batches and budgets, under the masks of this package.

Imports no engine by itself, and needs torch and transformers, which these engines bring along. Each engine is imported in one module. In
reading order:

    compiled_patterns  patterns that requests ask for, compiled once, and refused before they begin
    masked_sequence    one sequence held to a pattern and to its budget
    masked_batch       the sequences of a batch by row, with one operation on logits
    masked_slots       likewise, where rows are ordered anew at each step and drafts have rows of their own
    vllm               the class that vLLM loads
    sglang             the plug-in that SGLang loads
"""

from rellm_agents.serving.engines.vllm import processor_for

__all__ = ["processor_for"]
