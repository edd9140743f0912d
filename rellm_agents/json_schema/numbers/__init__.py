"""Which JSON texts are the numbers between bounds, and the multiples of divisors.

Knows nothing of schemas. In reading order:

    bounds     the values between two bounds, as integers and as doubles
    digits     runs of digits between two bounds
    ranges     numbers without a sign between two bounds
    scaled     the same, written with an exponent
    multiples  multiples of a divisor
    numbers    all of it, with signs
"""

from rellm_agents.json_schema.numbers.bounds import Number
from rellm_agents.json_schema.numbers.numbers import Notation, Numbers, canonical_numbers, narrowing_of, numbers_node, value_node
