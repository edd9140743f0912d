"""An ``AgentExecutor`` of ``langchain-classic`` answers questions with two tools, in ReAct steps that always parse.

Shows ``RELLM(format=react(tools))`` in an executor that keeps its own prompt and its own parser. No step is repaired or asked for again:
``handle_parsing_errors`` stays off.

    python examples/03_react_executor.py          # needs rellm-agents[executor]
"""

from langchain_classic.agents import AgentExecutor, create_react_agent
from langchain_core.prompts import PromptTemplate
from langchain_core.tools import tool

from rellm_agents import react
from rellm_agents.decoding import smollm2
from rellm_agents.langchain import RELLM

PRICES = {"tea": 4, "rice": 2, "salt": 1}
PROMPT = """Answer the question with the tools {tool_names}.
{tools}

Question: What does rice cost?
Thought: I need the price of rice.
Action: price
Action Input: rice
Observation: 2
Thought: I know the answer.
Final Answer: The price of rice is 2 euros.

Question: How long is the word cat?
Thought: I need the number of letters in cat.
Action: word_length
Action Input: cat
Observation: 3
Thought: I know the answer.
Final Answer: The word cat has 3 letters.

Question: {input}
Thought:{agent_scratchpad}"""


@tool
def price(item: str) -> str:
    """The price of an item in euros."""
    return str(PRICES.get(item, "not sold here"))


@tool
def word_length(word: str) -> int:
    """The number of letters in a word."""
    return len(word)


tools = [price, word_length]
model, tokenizer = smollm2()
llm = RELLM(model=model, tokenizer=tokenizer, format=react(tools, one_line=True), max_new_tokens=80)
agent = create_react_agent(llm, tools, PromptTemplate.from_template(PROMPT))
executor = AgentExecutor(agent=agent, tools=tools, max_iterations=4, return_intermediate_steps=True)

for question, used, answer in [("What does tea cost?", "price", "4"), ("How long is the word banana?", "word_length", "6")]:
    result = executor.invoke({"input": question})
    print(question)
    for action, observation in result["intermediate_steps"]:
        print(f"    {action.tool}({action.tool_input!r}) -> {observation}")
    print(f"    {result['output']}")
    assert [action.tool for action, _ in result["intermediate_steps"]] == [used]
    assert answer in result["output"]
