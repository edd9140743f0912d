"""A model as a module of torch: what is wrapped around it, the mode it is in, and where its weights are.

Knows neither tokens nor caches. In reading order:

    wrappers     adapters, compiled models: what is inside, and what is called
    eval_mode    a model without dropout
    devices      where inputs go, and weights that are elsewhere between two passes
"""

from rellm_agents.decoding.forward.module.devices import input_device, is_plain, kept_elsewhere, plain_parts
from rellm_agents.decoding.forward.module.eval_mode import in_eval_mode
from rellm_agents.decoding.forward.module.wrappers import called, inside, is_watched, rows_of
