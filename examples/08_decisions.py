"""Messages go to a team if the model is sure, and to a person if it is not.

Shows ``decoder.probabilities``: each option is weighed as a whole, in two forward passes, and nothing is written. ``calibrate`` divides by
what the model gives to each option without a message, since models like some words whatever is asked. For LangChain there is
``DecisionRELLM``.

    python examples/08_decisions.py               # needs rellm-agents[transformers]
"""

from rellm_agents.decoding import ConstrainedDecoder, smollm2

PROMPT = """Message: My card was declined when I paid. Team: billing
Message: The screen stays black. Team: technical
Message: I would like to buy 20 licences. Team: sales
Message: {message} Team:"""
MESSAGES = {
    "The app crashes when I open a file.": "technical",
    "How much is the plan for ten people?": "sales",
    "I cannot log in since the update.": "technical",
    "Do you give discounts to schools?": "sales",
    "Hello?": None,
}
TEAMS = [" billing", " technical", " sales"]

decoder = ConstrainedDecoder(*smollm2())
decisions = decoder.probabilities([PROMPT.format(message=message) for message in MESSAGES], TEAMS, calibrate=PROMPT.format(message=""))

taken = {}
for message, decision in zip(MESSAGES, decisions, strict=True):
    taken[message] = decision.best.strip() if decision.margin > 0.5 else None  # between the likeliest and the next one
    shares = ", ".join(f"{team.strip()} {share:.0%}" for team, share in decision.probabilities.items())
    print(f"{message}\n    {taken[message] or 'a person reads it'} ({shares})")

assert taken == MESSAGES
