"""FACE."""

from rellm_agents.json_schema.shapes.any_json import TYPES, any_of_types, anything, spelled
from rellm_agents.json_schema.shapes.arrays import Array, Contained
from rellm_agents.json_schema.shapes.objects import Object, Property, Undeclared, Variants
from rellm_agents.json_schema.shapes.property_names import (
    Condition,
    Met,
    allows_name,
    conditions_of,
    listed_names,
    met,
    name_kinds,
    value_of,
)
from rellm_agents.json_schema.shapes.scalars import integer_conditions, number_conditions, string_conditions
from rellm_agents.json_schema.shapes.shape import Later, Never, Ready, Reference, Rules, Shape, Source, Style, Union, find_impossible
