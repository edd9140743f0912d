"""Which JSON texts are the numbers between bounds, and the multiples of divisors.

Knows nothing of schemas. In reading order:

    bounds     the values between two bounds, as integers and as doubles
    digits     runs of digits between two bounds
    multiples  multiples of a divisor, by an automaton
    numbers    all of it: signs, points, exponents
"""

from rellm_agents.json_schema.numbers.numbers import Numbers, canonical_numbers, numbers_node, without_exponents
