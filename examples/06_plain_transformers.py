"""A JSON Schema holds ``model.generate`` of transformers, without LangChain: in greedy search, with a streamer, and in beams.

Shows ``ConstrainedLogitsProcessor``, which works wherever transformers takes a logits processor, and ``custom_generate``, which is faster:
text that the schema forces costs no forward pass. In both, ``max_new_tokens`` is the same budget twice, and the text ends in time.

    python examples/06_plain_transformers.py      # needs rellm-agents[transformers]
"""

import json

from transformers import TextStreamer

from rellm_agents import compile_schema
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, smollm2

SCHEMA = {
    "type": "object",
    "properties": {
        "capital": {"type": "string", "maxLength": 20},
        "continent": {"enum": ["Africa", "America", "Asia", "Europe", "Oceania"]},
    },
    "required": ["capital", "continent"],
    "additionalProperties": False,
}
BUDGET = 32

model, tokenizer = smollm2()
pattern = compile_schema(SCHEMA)
chat = [{"role": "user", "content": "Tell me about France as a JSON object with capital and continent."}]
inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
n = inputs["input_ids"].shape[1]

streamed = ConstrainedDecoder(model, tokenizer).custom_generate(pattern, streamer=TextStreamer(tokenizer, skip_prompt=True))
ids = model.generate(**inputs, custom_generate=streamed, max_new_tokens=BUDGET, do_sample=False)
greedy = json.loads(tokenizer.decode(ids[0, n:], skip_special_tokens=True))

processor = ConstrainedLogitsProcessor(pattern, tokenizer, prompt_length=n, max_new_tokens=BUDGET)
beams = model.generate(**inputs, logits_processor=[processor], max_new_tokens=BUDGET, num_beams=3, num_return_sequences=3, do_sample=False)
found = [pattern.value(text) for text in tokenizer.batch_decode(beams[:, n:], skip_special_tokens=True)]
print(*found, sep="\n")

assert greedy == {"capital": "Paris", "continent": "Europe"}
assert greedy in found
assert all(value.keys() == greedy.keys() for value in found)
