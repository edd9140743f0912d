"""The instance sets of subschemas, as shapes whose nodes are made where a text comes to them.

Knows how each type of instance is written and what may come where in it; nothing of keywords or of the normal form. In reading order:

    shape            the shapes without parts of their own; which shapes are empty
    property_order   which properties can come where
    objects          their text
    item_counts      which items can come where
    different_items  whether there are enough items that differ
    arrays           their text
    any_json         any value at all
"""

from rellm_agents.json_schema.shapes.any_json import TYPES, any_of_types, anything, styled_numbers, styled_strings
from rellm_agents.json_schema.shapes.arrays import Array
from rellm_agents.json_schema.shapes.item_counts import ContainsBounds, Pair, TooManyRoutes
from rellm_agents.json_schema.shapes.objects import Object
from rellm_agents.json_schema.shapes.property_order import Property, Undeclared, Variants
from rellm_agents.json_schema.shapes.shape import Deferred, Ready, Reference, Rules, SchemaKey, Shape, Style, Union, mark_empty
