"""Several copies of the server of a local model behind one address: Ray Serve, which starts, restarts and balances them.

Each copy loads the model and answers as ``rellm-agents serve`` does, so any
client of OpenAI's API can ask; requests of one copy are written together.

    python examples/12_server_with_ray_serve.py   # needs rellm-agents[serve] and ray[serve]
"""

from ray import serve
from starlette.applications import Starlette

from rellm_agents.serving.server import ServerSettings, application_of

COPIES, CORES = 2, 1


def application() -> Starlette:
    """The application of one copy, made in its own process. Ray's proxy calls it by its address, so it takes a key."""
    return application_of("smollm2", ServerSettings(model_name="smollm2", api_key="a key"), max_tokens=60)


deployment = serve.deployment(serve.ingress(application)(), name="smollm2", num_replicas=COPIES, ray_actor_options={"num_cpus": CORES})

if __name__ == "__main__":
    import httpx
    import ray

    ray.init(num_cpus=COPIES * CORES + 1, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": 8000})
    serve.run(deployment.bind(), route_prefix="/")
    schema = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"]}
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Which city is in Norway?"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
    }
    answer = httpx.post("http://127.0.0.1:8000/v1/chat/completions", json=body, headers={"Authorization": "Bearer a key"}, timeout=120)
    serve.shutdown()
    print(answer.json()["choices"][0]["message"]["content"])
    assert answer.json()["choices"][0]["message"]["content"] in ('{"city": "Oslo"}', '{"city": "Rome"}')
