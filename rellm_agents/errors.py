"""Defines all errors that the package raises on purpose, as one tree.

    RELLMError
    |-- ArgumentTypeError (TypeError)   an argument of another type than is wanted: the argument, its value, and what is wanted
    |-- ArgumentValueError (ValueError) an argument outside of what is wanted: likewise
    |-- PatternError (ValueError)       a pattern cannot be made
    |   |-- RegexSyntaxError            regex text outside the dialect: the position, with a caret
    |   |-- UnsupportedRegex            a pattern that a dialect of regex text cannot express: the reason, and a dialect that can
    |   |-- InexactFormat               the complement of a string format whose pattern is only a part of it
    |   |-- EmptyPattern                a pattern that no text matches
    |   `-- PatternTooLarge             a named bound was exceeded: both numbers
    |-- SchemaError (ValueError)        a JSON Schema cannot be compiled: its JSON pointer
    |   |-- InvalidSchema               not a JSON Schema at all
    |   |-- UnsupportedSchema           a keyword that cannot be enforced exactly
    |   |   `-- UnknownReference        a reference that leads nowhere
    |   `-- UnsatisfiableSchema         no instance is valid
    |-- InvalidInstance (ValueError)    a value that a schema does not allow: its JSON pointer
    |-- InvalidExample (ValueError)     an example that a model could not write: its index, and the JSON pointer
    |-- FormatError (ValueError)        an action format, its tools, or a step it cannot write or read
    |   `-- UnfitTools                  some of several tools cannot be written: their names, and the reason of each
    |-- ChatRefused (ValueError)        a chat that a chat template refuses, or does not show in whole, or that holds images or sounds
    |-- ParserError (ValueError)        an output parser for which lossless reading cannot be shown
    |-- DecodingError
    |   |-- VocabularyError (ValueError)  a tokenizer whose tokens cannot be read, or cannot spell the pattern
    |   |-- TokenRefused (ValueError)   a token that the mask does not allow
    |   |-- BudgetTooSmall (ValueError) fewer tokens than the shortest text needs: both numbers
    |   |-- ContextOverflow (ValueError) more tokens of prompt and budget than the model reads: all three numbers
    |   `-- ScoresNotFinite (ValueError) a model's scores are no numbers: the model, the token, and what to look at
    |-- AnswerError (ValueError)        an answer of a server that is not what it was asked for: its text
    |   |-- ConstraintIgnored           a text that leaves the pattern: where, with a caret
    |   |-- WrongCall                   a tool call that its tool does not take, or none though one has to be: the tool, and where
    |   `-- AnswerCutOff                a text that the server's budget ended: a budget that would have sufficed
    |-- ServerRefused                   a server answered with an error: its status and what it says
    |-- ServerUnreachable (ConnectionError) a server did not answer, or not to the end
    |-- FolderNotFound (NotADirectoryError) there is no folder at a place that was given
    |-- UnreadableInput (ValueError)    a file that a command was given is absent, or not what it should be: the place
    |-- ModelNotFound (OSError)         there is no such model: what to pass or install
    |-- MissingExtra (ImportError)      a dependency is not installed: what to install
    `-- UnfitVersion (ImportError)      the installed version of a dependency is outside the range: both, and what to install

>>> issubclass(RegexSyntaxError, ValueError)
True
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from rellm_agents.value_texts import caret, kind_of, shown


class RELLMError(Exception):
    """The base of all errors of this package. They can be pickled, and so sent to another process.

    What to do: catch it where any error of this package is to be handled alike; the classes below say what happened.
    """

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), str(self), self.__dict__)


class ArgumentTypeError(RELLMError, TypeError):
    """An argument of a public callable that is of another type than is wanted.

    What to do: pass what the message names after the colon.

    Attributes:
        argument: its name.
        wanted: what it has to be, in words.

    >>> print(ArgumentTypeError("seed", "5", "an int or None"))
    seed='5': an int or None, not a str
    >>> print(ArgumentTypeError("prompt", ["a", None], "a str or a list of str"))
    prompt=['a', None]: a str or a list of str, not a list of str and None
    """

    def __init__(self, argument: str, value: object, wanted: str, *, advice: str = "", message: str = "") -> None:
        self.argument, self.wanted = argument, wanted
        super().__init__(message or f"{argument}={shown(value)}: {wanted}, not {kind_of(value)}{f': {advice}' if advice else ''}")


class ArgumentValueError(RELLMError, ValueError):
    """An argument of a public callable that is of the right type, and outside of what is wanted.

    What to do: pass a value within the bounds that the message names.

    Attributes:
        argument: its name.
        wanted: what it has to be, in words.

    >>> print(ArgumentValueError("top_p", 2, "above 0 and at most 1, or None for all"))
    top_p=2: above 0 and at most 1, or None for all
    """

    def __init__(self, argument: str, value: object, wanted: str, *, message: str = "") -> None:
        self.argument, self.wanted = argument, wanted
        super().__init__(message or f"{argument}={shown(value)}: {wanted}")

    @classmethod
    def saying(cls, message: str) -> ArgumentValueError:
        """The error with a message of its own; the argument is what it begins with, as in ``seed=5: ...``."""
        argument = min(message.partition("=")[0], message.partition(":")[0], key=len)
        return cls(argument if argument.isidentifier() else "", None, message, message=message)


class PatternError(RELLMError, ValueError):
    """A pattern cannot be made.

    What to do: see the classes below it.
    """


class RegexSyntaxError(PatternError):
    """Regex text outside the dialect.

    What to do: rewrite what the caret points at; where the reason has an advice, follow it.

    Attributes:
        text: the whole regex text.
        position: index of the offending character in ``text``, in code points.
        reason: what is wrong there, and what to write instead.

    >>> print(RegexSyntaxError("a(b", 1, "this group is never closed"))
    this group is never closed, at position 1:
      a(b
       ^
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        self.text, self.position, self.reason = text, position, reason
        super().__init__(f"{reason}, at position {position}:\n{caret(text, position)}")


class UnsupportedRegex(PatternError):
    """A pattern that a dialect of regex text cannot express.

    What to do: take the dialect that the message names, or ``pattern.gbnf``; masks need no regex text.
    """


class InexactFormat(PatternError):
    """The complement of a string format whose pattern covers the format only in part, so the complement would contain some of its strings.

    What to do: describe the strings with ``pattern``.

    >>> print(InexactFormat("regex"))
    the format "regex" is only known in part, so its complement is not known: describe the strings with "pattern"
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f'the format "{name}" is only known in part, so its complement is not known: describe the strings with "pattern"')


class EmptyPattern(PatternError):
    """A pattern that no text matches.

    What to do: look for two conditions that exclude each other.
    """


class PatternTooLarge(PatternError):
    """A pattern, or an automaton made from one, that exceeds a named bound.

    What to do: simplify what the message names, or lift the limit that it names: ``limits=Limits(...)``.
    """


class _ErrorAtPointer(RELLMError, ValueError):
    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer, self.reason = pointer, reason
        super().__init__(f"{pointer}: {reason}")


class SchemaError(_ErrorAtPointer):
    """A JSON Schema cannot be compiled.

    What to do: look at the place in the schema that the pointer names.

    Attributes:
        pointer: JSON pointer (as a URI fragment) into the schema.
        reason: what is wrong there, and what to write instead.

    >>> print(SchemaError("#/properties/a", "is not a schema"))
    #/properties/a: is not a schema
    """


class InvalidSchema(SchemaError):
    """Not a JSON Schema: a keyword has a value that the specification does not allow.

    What to do: correct the keyword at the pointer.
    """


class UnsupportedSchema(SchemaError):
    """A keyword, or a combination of keywords, that cannot be enforced exactly.

    What to do: write the place otherwise, or pass ``lenient=True``, which leaves the keyword out, and lists and checks it.
    """


class UnknownReference(UnsupportedSchema):
    """A reference whose target is neither in the schema nor in the registry.

    What to do: correct the reference, or pass the document in ``registry``.
    """


class UnsatisfiableSchema(SchemaError):
    """A schema that no instance satisfies.

    What to do: look at the places that the message names: they contradict each other.
    """


class InvalidInstance(_ErrorAtPointer):
    """A value that a schema does not allow, or for which its pattern has no text.

    What to do: correct the value at the pointer, or widen the schema.

    Attributes:
        pointer: JSON pointer (as a URI fragment) into the value.
        reason: what is not allowed there, and by which keyword.

    >>> print(InvalidInstance("#/a", "1 is not of type 'string'"))
    #/a: 1 is not of type 'string'
    """


class InvalidExample(RELLMError, ValueError):
    """An example for a prompt whose answer the model could not write.

    What to do: correct the example at the pointer: it has to be an answer that the model may write.

    Attributes:
        index: of the example among all.
        pointer: JSON pointer (as a URI fragment) into its answer.
        reason: what is wrong there.

    >>> print(InvalidExample(1, "#/a", "1 is not of type 'string'"))
    examples[1], #/a: 1 is not of type 'string'
    """

    def __init__(self, index: int, pointer: str, reason: str) -> None:
        self.index, self.pointer, self.reason = index, pointer, reason
        super().__init__(f"examples[{index}], {pointer}: {reason}")


class FormatError(RELLMError, ValueError):
    """An action format or message format that cannot be built, or a step or message that it cannot write or read.

    What to do: take the format that the message names, or change the tool or the step that it names.
    """


class UnfitTools(FormatError):
    """Some of several tools, or all, cannot be written in a format, or cannot be called by a local model at all; the others can.

    What to do: leave out the tools that ``reasons`` names, or take a format of JSON arguments.

    Attributes:
        reasons: why each of them cannot, by its name.
        count: of all tools.

    >>> print(UnfitTools({"a": "tool 'a' has 2 arguments", "b": "tool 'b' has none"}, 7))
    2 of 7 tools cannot be called: tool 'a' has 2 arguments; tool 'b' has none. Leave out 'a', 'b' to call the others
    >>> print(UnfitTools({"a": "tool 'a' has 2 arguments", "b": "tool 'b' has none"}, 2))
    none of the tools can be called: tool 'a' has 2 arguments; tool 'b' has none. Change them, or give others
    """

    def __init__(self, reasons: dict[str, str], count: int, advice: str = "") -> None:
        self.reasons, self.count = reasons, count
        names, why = ", ".join(map(repr, reasons)), "; ".join(reasons.values())
        super().__init__(
            f"{len(reasons)} of {count} tools cannot be called: {why}. Leave out {names} to call the others{advice}"
            if len(reasons) < count
            else f"none of the tools can be called: {why}. Change them, or give others"
        )


class ChatRefused(RELLMError, ValueError):
    """A chat that a chat template refuses, or of which it does not show every word, or with an image or a sound: the reason, or where.

    What to do: change the message that the error names; leave out images and sounds.
    """


class ParserError(RELLMError, ValueError):
    """An output parser for which lossless reading cannot be shown.

    What to do: change the setting of the parser that the message names, or say with ``register_parser`` what the class reads.
    """


class DecodingError(RELLMError):
    """A pattern and a tokenizer or a model do not fit.

    What to do: see the classes below it.
    """


class VocabularyError(DecodingError, ValueError):
    """A tokenizer whose tokens cannot be read, or that cannot spell what a pattern requires.

    What to do: do what the message says; mostly, take the fast tokenizer of the model itself.
    """


class TokenRefused(DecodingError, ValueError):
    """A token that the mask of the state does not allow.

    What to do: choose among the tokens that the mask allows, and advance with those alone.
    """


class BudgetTooSmall(DecodingError, ValueError):
    """Fewer tokens than the shortest text of the pattern, or of a part of it, needs.

    What to do: give at least as many tokens as the message names.

    >>> print(BudgetTooSmall(needed=27, budget=20))
    the pattern needs at least 27 tokens (end of text included), the budget is 20: set max_new_tokens to 27 at least
    >>> print(BudgetTooSmall(needed=3, budget=2, part="thought"))
    the part 'thought' of the pattern needs at least 3 tokens, its budget is 2: set part_tokens={'thought': 3} at least
    """

    def __init__(self, needed: int, budget: int, *, part: str | None = None) -> None:
        self.needed, self.budget, self.part = needed, budget, part
        super().__init__(
            f"the pattern needs at least {needed} tokens (end of text included), the budget is {budget}: "
            f"set max_new_tokens to {needed} at least"
            if part is None
            else f"the part {part!r} of the pattern needs at least {needed} tokens, its budget is {budget}: "
            f"set part_tokens={{{part!r}: {needed}}} at least"
        )


class ClosedByBudget(DecodingError, ValueError):
    """A text that would have gone on, and was closed so that it ends within its budget; only with ``on_budget="raise"``.

    What to do: give a larger budget, or bound the value with ``maxLength`` or ``maxItems``; ``text`` is valid as it is.

    Attributes:
        text: the text, which is whole.
        pointer: the JSON pointer of the value that was being written where it was closed; ``"#"`` is the whole text.
        budget: its tokens.

    >>> print(ClosedByBudget('{"summary": "A small"}', "#/summary", 12))
    the budget of 12 tokens closed the text at #/summary, where the model would have gone on: a larger budget (max_new_tokens or \
max_tokens) leaves it whole, a schema with maxLength or maxItems bounds it
    """

    def __init__(self, text: str, pointer: str, budget: int) -> None:
        self.text, self.pointer, self.budget = text, pointer, budget
        bound = "a pattern with fewer repeats" if pointer == "#" else "a schema with maxLength or maxItems"
        super().__init__(
            f"the budget of {budget} tokens closed the text at {pointer}, where the model would have gone on: a larger budget "
            f"(max_new_tokens or max_tokens) leaves it whole, {bound} bounds it"
        )


class ContextOverflow(DecodingError, ValueError):
    """A prompt that leaves too little of the model's context for what may be written after it.

    What to do: shorten the prompt or the budget, as the message says.

    Attributes:
        prompt: tokens of the prompt.
        budget: tokens that may be written: ``max_new_tokens``, or fewer where no text of the pattern needs as many; 0 where an encoder
            reads the prompt by itself.
        context: tokens that the model reads at most.
        model: the name of its class.

    >>> print(ContextOverflow(prompt=1000, budget=200, context=1024, model="GPT2LMHeadModel"))
    the prompt has 1000 tokens and up to 200 are to be written after it (max_new_tokens), but the context of GPT2LMHeadModel is 1024 \
tokens: shorten the prompt to 824 tokens, or set max_new_tokens to 24 at most
    >>> print(ContextOverflow(prompt=600, budget=0, context=512, model="BartForConditionalGeneration"))
    the prompt has 600 tokens, but the context of BartForConditionalGeneration's encoder is 512 tokens: shorten the prompt to 512 tokens
    """

    def __init__(self, prompt: int, budget: int, context: int, *, model: str) -> None:
        self.prompt, self.budget, self.context, self.model = prompt, budget, context, model
        written = f" and up to {budget} are to be written after it (max_new_tokens)" if budget else ""
        ways = [f"shorten the prompt to {context - budget} tokens"] if context > budget else []
        ways += [f"set max_new_tokens to {context - prompt} at most"] if context > prompt else []
        where = model if budget else f"{model}'s encoder"
        super().__init__(
            f"the prompt has {prompt} tokens{written}, but the context of {where} is {context} tokens: "
            + (", or ".join(ways) or f"shorten the prompt, and set max_new_tokens below {context}")
        )


class ScoresNotFinite(DecodingError, ValueError):
    """The scores that a token is to be chosen by are not numbers, or infinite.

    What to do: load the model in the type that the message names, or look at its weights and adapters.

    Attributes:
        model: the name of its class.
        token: number of the token in the text, from 1; ``None`` for one of an option.
        dtype: in which the model computes.

    >>> print(ScoresNotFinite("LlamaForCausalLM", 3, "float16", after="yes, "))
    the scores of LlamaForCausalLM for token 3 of the text, after 'yes, ', are not finite numbers (NaN or infinity): its weights are \
damaged, or numbers overflow in float16: load it with dtype="bfloat16" or "float32", or look at its weights and adapters
    """

    def __init__(self, model: str, token: int | None, dtype: str, *, after: str = "") -> None:
        self.model, self.token, self.dtype = model, token, dtype
        which = "an option" if token is None else f"token {token} of the text, after {after!r},"
        wider = {"float32": "", "float64": ""}.get(dtype, f', or numbers overflow in {dtype}: load it with dtype="bfloat16" or "float32"')
        super().__init__(
            f"the scores of {model} for {which} are not finite numbers (NaN or infinity): its weights are damaged{wider}, "
            f"{'or ' if wider else 'or numbers overflow: '}look at its weights and adapters"
        )


class AnswerError(RELLMError, ValueError):
    """An answer of a server that is not what it was asked for. Nothing of it was parsed.

    What to do: see the classes below it.

    Attributes:
        server: which kind of server it is.
        text: of the answer.
    """

    def __init__(self, server: str, text: str, message: str) -> None:
        self.server, self.text = server, text
        super().__init__(message)


class ConstraintIgnored(AnswerError):
    """A text that the pattern does not have, though the server was asked for none but those.

    What to do: see whether the server supports what it was asked for: the name of its kind, its version, its options.

    Attributes:
        position: in the text, of the first character that no text of the pattern has there; or its length: it ended too early.

    >>> print(ConstraintIgnored("vllm", "Sure! yes", 0))
    vllm ignored the pattern that it was asked to keep, or read it differently: no text of it has what stands at position 0:
      Sure! yes
      ^
    """

    def __init__(self, server: str, text: str, position: int) -> None:
        self.position = position
        what = (
            "ignored the pattern that it was asked to keep, or read it differently: no text of it has what stands"
            if position < len(text)
            else "ended its answer before it was whole, though it names no budget"
        )
        super().__init__(server, text, f"{server} {what} at position {position}:\n{caret(text, position)}")


class WrongCall(AnswerError):
    """A message with a tool call that no tool takes, or without one though a tool has to be called. No tool was called.

    What to do: ask again, or take a server that holds calls to their schemas.

    Attributes:
        tool: that was called; ``""``: none.
        pointer: the JSON pointer of what is wrong in the arguments.

    >>> print(WrongCall("vllm", '{"query": 5}', "search", "#/query", "5 is not of type 'string'"))
    vllm called 'search' with what it does not take, #/query: 5 is not of type 'string'; the arguments are '{"query": 5}'
    >>> print(WrongCall("vllm", "It will rain.", "", "#", "one of search, add has to be called"))
    vllm called no tool, #: one of search, add has to be called; the message is 'It will rain.'
    """

    def __init__(self, server: str, text: str, tool: str, pointer: str, reason: str) -> None:
        self.tool, self.pointer = tool, pointer
        what, name = (f"{tool!r} with what it does not take", "arguments are") if tool else ("no tool", "message is")
        super().__init__(server, text, f"{server} called {what}, {pointer}: {reason}; the {name} {shown(text)}")


class AnswerCutOff(AnswerError):
    """A text that a server ended before it was whole, most likely since its budget was used up.

    What to do: give the server a larger budget.

    Attributes:
        finish_reason: why it ended, as the server says.
        sufficient: tokens that suffice for the shortest text of the pattern, whatever the tokenizer, since none of them is empty.

    >>> print(AnswerCutOff("vllm", '{"city": "Os', "length", 14))
    vllm ended its answer before it was whole (finish_reason='length'): '{"city": "Os'. Set max_tokens to more; 14 suffice for the \
shortest answer, end of text not included
    """

    def __init__(self, server: str, text: str, finish_reason: str, sufficient: int) -> None:
        self.finish_reason, self.sufficient = finish_reason, sufficient
        super().__init__(
            server,
            text,
            f"{server} ended its answer before it was whole (finish_reason={finish_reason!r}): {shown(text)}. Set max_tokens to more; "
            f"{sufficient} suffice for the shortest answer, end of text not included",
        )


class ServerRefused(RELLMError):
    """A server answered with an error.

    What to do: do what the server says; a pattern that it cannot read may be one for another kind of server.

    Attributes:
        server: which kind of server it is.
        status: of HTTP.

    >>> print(ServerRefused("vllm", 400, "Grammar error: look-around is not supported"))
    vllm refused the request with status 400: Grammar error: look-around is not supported
    """

    def __init__(self, server: str, status: int, said: str) -> None:
        self.server, self.status = server, status
        super().__init__(f"{server} refused the request with status {status}: {said}")


class ServerUnreachable(RELLMError, ConnectionError):
    """A server did not answer, or its answer broke off; nothing was asked again.

    What to do: see whether the server runs, and at which address.

    Attributes:
        server: which kind of server it is.
    """

    def __init__(self, server: str, said: str) -> None:
        self.server = server
        super().__init__(f"{server} did not answer, or not to the end: {said}")


class FolderNotFound(RELLMError, NotADirectoryError):
    """There is no folder at the given place.

    What to do: correct the path, or make the folder.
    """


class UnreadableInput(RELLMError, ValueError):
    """A file that a command was given cannot be read.

    What to do: correct the file at the place that the message names.

    Attributes:
        file: its name, ``-`` for standard input.
        line: of the place, from 1 on; ``None``: there is no place.

    >>> print(UnreadableInput("order.json", "this is not JSON", line=2, column=7))
    order.json, line 2, column 7: this is not JSON
    """

    def __init__(self, file: str, reason: str, *, line: int | None = None, column: int | None = None) -> None:
        self.file, self.line = file, line
        place = "".join(f", {what} {number}" for what, number in (("line", line), ("column", column)) if number is not None)
        super().__init__(f"{'standard input' if file == '-' else file}{place}: {reason}")


class ModelNotFound(RELLMError, OSError):
    """There is no model or tokenizer at the given place.

    What to do: pass a folder with a model, a ``.gguf`` file or a name on the hub, as the message says.
    """


class MissingExtra(RELLMError, ImportError):
    """A dependency is not installed, most likely an optional one.

    What to do: install what the message names.

    >>> print(MissingExtra("rich", extra="cli", purpose="the demo"))
    the demo needs the module 'rich', which is not installed: pip install 'rellm-agents[cli]', or '.[cli]' in a clone
    """

    def __init__(self, module: str, *, extra: str = "", purpose: str) -> None:
        extras = f"[{extra}]" if extra else ""
        installed = f"pip install 'rellm-agents{extras}', or '.{extras}' in a clone"
        super().__init__(f"{purpose} needs the module {module!r}, which is not installed: {installed}")


class UnfitVersion(RELLMError, ImportError):
    """The installed version of a dependency is one that this package does not support.

    What to do: install the version that the message names.

    >>> print(UnfitVersion("transformers", "4.57.1", ">=5.15,<6", purpose="ConstrainedDecoder"))
    ConstrainedDecoder needs transformers>=5.15,<6, and transformers 4.57.1 is installed: pip install 'transformers>=5.15,<6'
    """

    def __init__(self, name: str, found: str, wanted: str, *, purpose: str) -> None:
        super().__init__(f"{purpose} needs {name}{wanted}, and {name} {found} is installed: pip install '{name}{wanted}'")


def unknown_options(owner: str, unknown: Iterable[str], known: Iterable[str], is_misspelt: Callable[[str], bool] = lambda _: True) -> str:
    """What is said of options that there are not.

    Args:
        owner: which takes no such options.
        unknown: their names.
        known: the names of those that there are.
        is_misspelt: whether a name may be another one that was meant; not that of an option of something else.

    >>> unknown_options("generate", ["temprature"], ["seed", "temperature"])
    "generate takes no 'temprature' (did you mean 'temperature'?), only seed, temperature"
    """
    names, told = list(known), []
    for name in sorted(unknown):
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.7) if is_misspelt(name) else []
        told.append(f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name))
    return f"{owner} takes no {', '.join(told)}, only {', '.join(names)}"


def _restored(kind: type[RELLMError], message: str, attributes: dict[str, object]) -> RELLMError:
    error = kind.__new__(kind, message)
    error.__dict__.update(attributes)
    return error
