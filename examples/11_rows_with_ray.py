"""The rows of a data set, each with a text that parses, written by two processes: Ray Data with ``RowMapper``.

With a GPU for each process, give ``num_gpus=1`` and a function that loads the model. On vLLM, ``ray.data.llm`` writes the texts and our
pattern goes along as ``structured_outputs``, which vLLM's own engine holds, without a budget: see ``with_vllm``, which needs ``ray[llm]``
and a GPU.

    python examples/11_rows_with_ray.py           # needs rellm-agents[transformers] and ray[data]
"""

import json
import os
from typing import Any

import ray
import ray.data

from rellm_agents import ActionFormat, json_action
from rellm_agents.serving.client import request_for
from rellm_agents.serving.engines.ray import RowMapper

TOOLS = {
    "search": {"type": "object", "properties": {"query": {"type": "string", "minLength": 1}}, "required": ["query"]},
    "add": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
}
ROWS = [{"id": number, "prompt": f"Question: what is {number} plus {number + 1}?\n"} for number in range(int(os.environ.get("ROWS", "16")))]


def steps() -> ActionFormat:
    """The format of a row, made where the row is."""
    return json_action(TOOLS)


def with_vllm(rows: ray.data.Dataset) -> ray.data.Dataset:
    """The same rows on vLLM: what it writes is checked in ``postprocess``, since it may be cut off."""
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig  # noqa: PLC0415 - needs vLLM

    request = request_for(steps(), "vllm")
    sampling = {"max_tokens": 60, **request["extra_body"]}

    def asked(row: dict[str, Any]) -> dict[str, Any]:
        return {"prompt": row["prompt"], "sampling_params": sampling}

    def answered(row: dict[str, Any]) -> dict[str, Any]:
        return {"step": str(request_for(steps(), "vllm").read(row["generated_text"]))}

    config = vLLMEngineProcessorConfig(model_source="HuggingFaceTB/SmolLM2-135M-Instruct", apply_chat_template=False, tokenize=False)
    return build_processor(config, preprocess=asked, postprocess=answered)(rows)


if __name__ == "__main__":
    ray.init(num_cpus=3, include_dashboard=False)  # one for what is not an actor: without it, actors wait for ever
    made = ray.data.from_items(ROWS).map_batches(
        RowMapper,
        fn_constructor_kwargs={"source": steps, "max_new_tokens": 40},
        compute=ray.data.ActorPoolStrategy(size=2),
        batch_size=8,
    )
    found = made.take_all()
    print(found[0]["text"])
    assert sorted(row["id"] for row in found) == [row["id"] for row in ROWS]
    assert all(row["error"] is None and json.loads(row["parsed"]) for row in found)
