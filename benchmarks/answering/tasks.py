"""Generates the items of all tasks from seeds: tool choice, tool calls, extraction, arithmetic, labels, reading, and copying.

Knows no model. The examples of a task are the same for all its items, so what a model has read of them can be kept.

>>> [item.question for item in items("arithmetic", 3)] == [item.question for item in items("arithmetic", 3)]
True
>>> items("labels", 1)[0].options
('{"label": "good"}', '{"label": "bad"}', '{"label": "neither"}')
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from answering.copying_tasks import COPYING, name_text
from answering.items import Example, Item, object_schema

_CITIES = ("Lisbon", "Osaka", "Bergen", "Lima", "Nairobi", "Toronto", "Cairo", "Ghent", "Quito", "Hanoi", "Malmö", "Perth")
_COLOURS = ("red", "green", "blue", "yellow", "black", "white", "orange", "purple")
_THINGS = ("bicycle", "umbrella", "lamp", "suitcase", "kettle", "guitar", "scarf", "kite")
_MOST_TRIES = 1_000  # in a row that give no new item


def items(task: str, count: int, seed: int = 0) -> list[Item]:
    """Different items of a task.

    Args:
        task: one of ``TASKS``.
        count: how many.
        seed: other items for another seed.

    Raises:
        ValueError: the task has no such number of different items.
    """
    chance, found = Random(f"{task} {seed}"), dict[str, Item]()
    tries = 0
    while len(found) < count:
        item = TASKS[task](chance)
        tries = tries + 1 if item.question in found else 0
        if tries > _MOST_TRIES:
            raise ValueError(f"{task}: it has no {count} different items, only about {len(found)}")
        found.setdefault(item.question, item)
    return list(found.values())


_TOOLS = {
    "get_weather": (
        "the weather of a place",
        ("Will it rain in {city} tomorrow?", "Do I need a coat in {city}?", "How hot is it in {city}?"),
    ),
    "set_alarm": ("wake the user at a time", ("Wake me at {hour} o'clock.", "I have to get up at {hour}:30.", "Ring a bell at {hour}.")),
    "send_email": (
        "write to a person",
        ("Tell {name} that I am late.", "Let {name} know I am in {city}.", "Write {name} a thank-you note."),
    ),
    "calculate": ("compute with numbers", ("What is {a} times {b}?", "Divide {a} by {b}.", "How much is {a} minus {b}?")),
    "translate": ("say a text in another language", ("How do you say {thing} in French?", "What is the Polish word for {thing}?")),
    "find_route": ("the way between two places", ("How do I get from {city} to {city2}?", "Which road leads from {city2} to {city}?")),
}
_TOOL_CHOICES = (
    Example("Which road leads to Oslo?", '{"tool": "find_route"}', "A road is a way, so the route is needed."),
    Example("What is 3 plus 4?", '{"tool": "calculate"}', "It is a sum of numbers."),
    Example("Is it windy in Kyoto?", '{"tool": "get_weather"}', "Wind is weather."),
    Example("I want to be woken at 4.", '{"tool": "set_alarm"}', "Somebody is to be woken at a time."),
    Example("What is the Dutch word for moon?", '{"tool": "translate"}', "A word is needed in another language."),
    Example("Ask Teo for the keys.", '{"tool": "send_email"}', "Teo is to be written to."),
)


def tools(chance: Random) -> Item:
    """Which tool fits a request."""
    name = chance.choice(list(_TOOLS))
    listed = "\n".join(f"- {tool}: {what}" for tool, (what, _) in _TOOLS.items())
    return Item(
        "tools",
        f"Choose the tool that helps.\n{listed}",
        _filled(chance, chance.choice(_TOOLS[name][1])),
        _json({"tool": name}),
        object_schema({"tool": {"enum": list(_TOOLS)}}),
        _TOOL_CHOICES,
        tuple(_json({"tool": tool}) for tool in _TOOLS),
    )


_INTEGER, _STRING = {"type": "integer"}, {"type": "string"}
_CALL_SCHEMA = {
    "anyOf": [
        object_schema({"tool": {"const": "set_alarm"}, "hour": _INTEGER, "minute": _INTEGER, "label": _STRING}, optional=("label",)),
        object_schema({"tool": {"const": "get_weather"}, "city": _STRING, "day": {"enum": ["today", "tomorrow"]}}),
        object_schema({"tool": {"const": "pay"}, "to": _STRING, "amount": {"type": "number"}, "note": _STRING}, optional=("note",)),
    ]
}
_CALLS = (
    Example("Wake me at 7:05.", '{"tool": "set_alarm", "hour": 7, "minute": 5}', "An alarm at 7:05, without a label."),
    Example("Pay Ada 4.50 for tea.", '{"tool": "pay", "to": "Ada", "amount": 4.50, "note": "tea"}', "A payment with a note."),
    Example("Pay Bo 12.", '{"tool": "pay", "to": "Bo", "amount": 12}', "A payment without a note."),
    Example("Weather in Oslo today?", '{"tool": "get_weather", "city": "Oslo", "day": "today"}', "The weather of Oslo today."),
)


def calls(chance: Random) -> Item:
    """A call of one of three tools with its arguments, some of them optional."""
    hour, minute, amount = chance.randint(5, 22), chance.randrange(60), f"{chance.randint(1, 99)}.{chance.randrange(100):02}"
    name, city, day = name_text(chance).split(" ")[-1], chance.choice(_CITIES), chance.choice(("today", "tomorrow"))
    thing = chance.choice(_THINGS)
    question, answer = chance.choice((
        (f"Wake me at {hour}:{minute:02}.", {"tool": "set_alarm", "hour": hour, "minute": minute}),
        (f"Alarm at {hour}:{minute:02}, label {thing}.", {"tool": "set_alarm", "hour": hour, "minute": minute, "label": thing}),
        (f"What will the weather be in {city} {day}?", {"tool": "get_weather", "city": city, "day": day}),
        (f"Pay {name} {amount}.", {"tool": "pay", "to": name, "amount": float(amount)}),
        (f"Pay {name} {amount} for the {thing}.", {"tool": "pay", "to": name, "amount": float(amount), "note": thing}),
    ))  # fmt: skip
    instruction = "Call a tool: set_alarm(hour, minute, label?), get_weather(city, day: today or tomorrow) or pay(to, amount, note?)."
    return Item("calls", instruction, question, _json(answer), _CALL_SCHEMA, _CALLS)


_PERSON = object_schema({"name": _STRING, "age": _INTEGER, "city": _STRING})
_PEOPLE = (
    Example("Ada Quist (36) came to Oslo.", '{"name": "Ada Quist", "age": 36, "city": "Oslo"}', "Ada Quist is 36 and in Oslo."),
    Example("In Rome, Teo Vann turned 50.", '{"name": "Teo Vann", "age": 50, "city": "Rome"}', "Teo Vann is 50 and in Rome."),
)


def extraction(chance: Random) -> Item:
    """The name, the age and the city in a sentence."""
    name, age, city = name_text(chance), chance.randint(18, 95), chance.choice(_CITIES)
    sentence = chance.choice((
        f"{name}, {age}, lives in {city}.",
        f"At the age of {age}, {name} moved to {city}.",
        f"In {city} we met {name}, who is {age} years old.",
        f"{name} was {age} when the shop in {city} was opened.",
        f"The {age}-year-old {name} has a house in {city}.",
    ))  # fmt: skip
    answer = _json({"name": name, "age": age, "city": city})
    return Item("extraction", "Extract name, age and city as JSON.", sentence, answer, _PERSON, _PEOPLE)


_RESULT = object_schema({"result": _INTEGER})
_SUMS = (
    Example("14 + 5", '{"result": 19}', "14 and 5 are 19."),
    Example("Ada has 9 pens and loses 3. How many has she?", '{"result": 6}', "9 less 3 is 6."),
    Example("6 * 4", '{"result": 24}', "6 times 4 is 24."),
)


def arithmetic(chance: Random) -> Item:
    """A sum, a difference or a product, of numbers alone or in a small story."""
    a, b, small = chance.randint(10, 40), chance.randint(2, 9), chance.randint(2, 9)
    thing = f"{chance.choice(_THINGS)}s"
    question, result = chance.choice((
        (f"{a} + {b}", a + b),
        (f"{a} - {b}", a - b),
        (f"{small} * {b}", small * b),
        (f"A shop has {a} {thing} and sells {b}. How many are left?", a - b),
        (f"There are {a} {thing}, and {b} more are made. How many are there?", a + b),
        (f"{small} boxes hold {b} {thing} each. How many is that?", small * b),
    ))  # fmt: skip
    return Item("arithmetic", "Compute, and answer as JSON.", question, _json({"result": result}), _RESULT, _SUMS)


_LABELS = {
    "good": ("I love this {thing}.", "The {thing} is perfect, thank you!", "Best {colour} {thing} I ever had.", "It works very well."),
    "bad": ("I hate this {thing}.", "The {thing} broke after a day.", "Worst {thing} ever, I want my money back.", "It is useless."),
    "neither": ("The {thing} is {colour}.", "It comes in a box of {a}.", "I bought the {thing} in {city}.", "There are {b} sizes."),
}
_JUDGED = (
    Example("What a lovely clock!", '{"label": "good"}', "Lovely is praise."),
    Example("The clock has two hands.", '{"label": "neither"}', "It is a fact."),
    Example("The clock is always wrong, avoid it.", '{"label": "bad"}', "It is a complaint."),
    Example("It hangs on the wall.", '{"label": "neither"}', "It is a fact."),
    Example("Terrible, it stopped at once.", '{"label": "bad"}', "Terrible is a complaint."),
    Example("I like how it ticks.", '{"label": "good"}', "To like it is praise."),
)


def labels(chance: Random) -> Item:
    """Whether a remark is praise, a complaint or neither."""
    label = chance.choice(list(_LABELS))
    return Item(
        "labels",
        "Is the remark good, bad or neither? Answer as JSON.",
        _filled(chance, f"{chance.choice(('', 'Well. ', 'My view: ', 'After {b} weeks: '))}{chance.choice(_LABELS[label])}"),
        _json({"label": label}),
        object_schema({"label": {"enum": list(_LABELS)}}),
        _JUDGED,
        tuple(_json({"label": one}) for one in _LABELS),
    )


_ANSWER = object_schema({"answer": _STRING})
_READ = (
    Example("Ada has a pink vase. Teo has a grey sofa. Who has the sofa?", '{"answer": "Teo"}', "Teo has the sofa."),
    Example("Bo has a gold ring. Ana has a long rope. Uwe has a wide bed. Who has the ring?", '{"answer": "Bo"}', "Bo has the ring."),
    Example("Uwe has a new car. Ada has a wet hat. Bo has an old flute. Who has the hat?", '{"answer": "Ada"}', "Ada has the hat."),
)
_READERS = ("Ben", "Carla", "Dana", "Emil", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Lena", "Milo")


def reading(chance: Random) -> Item:
    """Who of four people has a thing, by the sentences before the question."""
    people, colours, things = (chance.sample(of, 4) for of in (_READERS, _COLOURS, _THINGS))
    facts = " ".join(f"{who} has a {colour} {thing}." for who, colour, thing in zip(people, colours, things, strict=True))
    at = chance.randrange(4)
    return Item(
        "reading",
        "Read, and answer as JSON.",
        f"{facts} Who has the {things[at]}?",
        _json({"answer": people[at]}),
        _ANSWER,
        _READ,
        tuple(_json({"answer": who}) for who in people),
    )


def _filled(chance: Random, template: str) -> str:
    city, city2 = chance.sample(_CITIES, 2)
    return template.format(
        city=city, city2=city2, name=chance.choice(_READERS), hour=chance.randint(5, 11), a=chance.randint(10, 99), b=chance.randint(2, 9),
        thing=chance.choice(_THINGS), colour=chance.choice(_COLOURS),
    )  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


TASKS: dict[str, Callable[[Random], Item]] = {
    "tools": tools,
    "calls": calls,
    "extraction": extraction,
    "arithmetic": arithmetic,
    "labels": labels,
    "reading": reading,
    **COPYING,
}
"""All tasks by their names."""
