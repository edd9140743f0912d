"""Orders are read out of letters, each as an object of a type, with a progress bar.

Shows ``with_structured_output`` with examples, and ``batch_as_completed``: all letters are written side by side, and each order comes as
soon as it is there. What the type demands holds for every order; whether it says what the letter says is up to the model.

    python examples/01_typed_extraction.py        # needs rellm-agents[langchain]
"""

from typing import Annotated

from pydantic import BaseModel, Field
from tqdm import tqdm

from rellm_agents.decoding import smollm2
from rellm_agents.langchain import ChatRELLM

Name = Annotated[str, Field(max_length=20)]


class Order(BaseModel):
    """What somebody wants to have sent."""

    customer: Name
    item: Name
    quantity: Annotated[int, Field(ge=1, le=99)]
    city: Name


EXAMPLES = [
    ("Please send 4 lamps to Kyoto. Regards, Hana Sato", Order(customer="Hana Sato", item="lamp", quantity=4, city="Kyoto")),
    ("My name is Tom Reed, I live in Leeds and want 12 cups.", Order(customer="Tom Reed", item="cup", quantity=12, city="Leeds")),
    ("Could I have 1 desk? Best wishes from Lima, Eva Cruz", Order(customer="Eva Cruz", item="desk", quantity=1, city="Lima")),
]
LETTERS = [
    "Please send 3 chairs to Oslo. Regards, Nils Berg",
    "My name is Ada King, I live in London and want 20 books.",
    "Could I have 2 mirrors? Best wishes from Rome, Luca Conti",
    "Please send 7 clocks to Paris. Regards, Marie Petit",
    "Hello, this is Peter Novak in Prague. I would like 6 bowls.",
    "We need 15 pens in Helsinki. Thank you, Aino Laine",
]

model, tokenizer = smollm2()  # or any transformers causal model with its fast tokenizer
reader = ChatRELLM(model=model, tokenizer=tokenizer, max_tokens=60).with_structured_output(Order, examples=EXAMPLES)
orders: dict[int, Order] = dict(tqdm(reader.batch_as_completed(LETTERS), total=len(LETTERS), desc="letters"))
for number, letter in enumerate(LETTERS):
    print(f"{letter}\n    {orders[number]}")

right = [str(orders[number].quantity) in letter and orders[number].customer in letter for number, letter in enumerate(LETTERS)]
assert sum(right) >= len(LETTERS) - 1  # a model of 135 million parameters reads them all, where nothing rounds otherwise
