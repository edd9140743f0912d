"""FACE."""

from rellm_agents.decoding.budget.part_budget import PartBudget
from rellm_agents.decoding.budget.part_costs import PartExits
from rellm_agents.decoding.budget.token_costs import TokenCosts
