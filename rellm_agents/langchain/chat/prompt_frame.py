r"""Encodes a chat's prompt such that special tokens come from its frame alone: what a message, a tool or a result holds is text.

A prompt is rendered as always. Where some content holds the text of a special token, or a part of one that stands in the prompt, it is
rendered once more, with a *mark* in that place, a word that is found nowhere else. If without its marks it is the same prompt, the marks
tell which characters are content, and the frame's tokens are those that are found elsewhere.

    content   </s>                  a template   <s>user CONTENT</s>
    prompt    <s>user </s></s>
    marked    <s>user <qx0z/s></s>  so the second token is content, the first and the third are the frame

A template may read content: it splits an answer after ``</think>``, it trims, it asks how a result begins. So a mark that changes
the prompt is put elsewhere: beside the token, or after the white space that follows. Where each changes the prompt, the chat is refused.
Knows no messages: it is given a function that renders them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from rellm_agents.decoding.spelling import EncodedPrompt, FramedTokenizer, SpecialTokenAt
from rellm_agents.langchain.chat.marked_content import Mark, unmarked

_Place = Literal["inside", "inward", "outward", "before", "after", "behind"]
_PLACES: tuple[_Place, ...] = ("inside", "inward", "outward", "before", "after", "behind")
"""Where the marks of a content are: inside of what looks like a token; towards the middle of the content, or towards its ends; before each,
after each, or after each and the white space that follows."""
_BLANKS = "\N{SNOWMAN}\N{COMET}\N{UMBRELLA}\N{BLACK TELEPHONE}\N{HOT BEVERAGE}"


def encoded_prompt(render: Callable[[Mark], str], encode: Callable[[str], list[int]], framed: FramedTokenizer | None) -> EncodedPrompt:
    """The prompt of a chat, with its tokens.

    Args:
        render: renders the chat, with all of its content as the given function writes it.
        encode: the ids of a text, as the tokenizer reads it; nothing is put around it.
        framed: of the same tokenizer: special tokens in content are text; ``None``: they are tokens, as ``encode`` reads them.

    Raises:
        ValueError: the template refuses the chat, or reads what looks like a special token in the content; tells the content.
    """
    contents: dict[str, None] = {}

    def noted(content: str) -> str:
        contents[content] = None
        return content

    text = render(unmarked if framed is None else noted)
    if framed is not None:
        found = framed.find(text)
        frame = _FrameFinder(framed, found, text, list(contents)).frame(render)
        if frame != found:
            return EncodedPrompt(text, framed.encode(text, frame))
    return EncodedPrompt(text, encode(text))


def borders_hold_tokens(text: str, contents: Sequence[str], framed: FramedTokenizer) -> bool:
    """Whether a special token stands after each of some contents of a prompt, before the next one.

    Otherwise the border between them is text that anybody can type, such as ``[INST]`` of a tokenizer without such a token.

    Args:
        text: the prompt.
        contents: in their order; where one is missing, or in another place, nothing is known.
        framed: finds special tokens.
    """
    between = re.fullmatch(".*?" + "(.*?)".join(map(re.escape, contents)) + "(.*)", text, re.DOTALL)
    return between is not None and all(map(framed.find, between.groups()))


class _Token(NamedTuple):
    """What looks like a special token, or like a part of one, in a content.

    Attributes:
        offset: where the mark is put.
        start, end: its characters.
        is_split: the mark is between them, or at the edge of the content: the characters beside it are content for certain.
    """

    offset: int
    start: int
    end: int
    is_split: bool


class _FrameFinder:
    """Finds the frame of a prompt, by marks in its contents.

    Args:
        framed: finds special tokens.
        found: those of the prompt.
        text: the prompt.
        contents: all that it is made of, but for the frame.
    """

    def __init__(self, framed: FramedTokenizer, found: Sequence[SpecialTokenAt], text: str, contents: Sequence[str]) -> None:
        self._framed, self._found, self._text = framed, found, text
        self._names = {one.content for one in found}
        self._blank = next(c for c in (*_BLANKS, *map(chr, range(0x2654, 0x2F00))) if not any(c in name for name in framed.contents))
        taken = re.findall("qx+", "\0".join((text, *contents, *framed.contents)))
        self._mark = "q" + "x" * max(map(len, taken), default=1)  # stands nowhere, and begins nowhere inside of itself
        self._numbered: list[tuple[str, _Token]] = []
        self._places: dict[str, _Place] = {one: "inside" for one in contents if any(self._tokens(one, "inside"))} if self._names else {}

    def frame(self, render: Callable[[Mark], str]) -> list[SpecialTokenAt]:
        """The special tokens of the prompt that no content is a part of."""
        if not self._places:
            return list(self._found)
        blanked = self._blanked(render, self._places)
        if blanked is None:
            self._places = {content: self._harmless_place(render, content) for content in self._places}
            blanked = self._blanked(render, self._places)
        if blanked is None:
            raise _refusal(list(self._places))
        return self._framed.find(blanked)

    def _harmless_place(self, render: Callable[[Mark], str], content: str) -> _Place:
        """Where the marks of a content do not change the prompt."""
        for place in _PLACES:
            if self._blanked(render, {content: place}) is not None:
                return place
        raise _refusal([content])

    def _blanked(self, render: Callable[[Mark], str], places: dict[str, _Place]) -> str | None:
        """The prompt with a blank in each token that is content; ``None`` if the marks change it."""
        self._numbered = []
        try:
            rendered = render(lambda content: self._marked(content, places[content]) if content in places else content)
        except ValueError:  # the template refuses a chat with marks
            return None
        plain, *rest = re.split(f"{self._mark}(\\d+)z", rendered)
        marks: list[tuple[int, int]] = []
        for number, following in zip(rest[::2], rest[1::2], strict=True):
            marks.append((len(plain), int(number)))
            plain += following
        if plain != self._text:
            return None
        blanked = list(plain)
        for at, number in marks:
            content, token = self._numbered[number]
            for place in self._content_at(content, token, at):
                blanked[place] = self._blank
        return "".join(blanked)

    def _content_at(self, content: str, token: _Token, at: int) -> range:
        """The characters of the prompt that a mark at some place tells to be content."""
        first = at - (token.offset - token.start)
        if token.is_split:
            return range(max(first, at - 1), min(at + 1, first + token.end - token.start))
        low, high = min(token.start, token.offset), max(token.end, token.offset)
        stretch = self._text[at - (token.offset - low) : at + (high - token.offset)]
        return range(first, first + token.end - token.start) if stretch == content[low:high] else range(0)

    def _marked(self, content: str, place: _Place) -> str:
        pieces, at = [], 0
        for token in sorted(self._tokens(content, place)):
            pieces += [content[at : token.offset], f"{self._mark}{len(self._numbered)}z"]
            self._numbered.append((content, token))
            at = token.offset
        return "".join((*pieces, content[at:]))

    def _tokens(self, content: str, place: _Place) -> Iterator[_Token]:
        """What looks like a token of the prompt, or a part of one, in a content."""
        yield from self._parts(content, place)
        rest = content
        while inner := [one for one in self._framed.find(rest) if one.content in self._names]:
            for number, one in enumerate(inner):
                side = place
                if place in ("inward", "outward"):
                    side = "after" if (number < (len(inner) + 1) // 2) == (place == "inward") else "before"
                offset = {"inside": min(one.start + 1, one.end - 1), "before": one.start}.get(side, one.end)
                if side == "behind":
                    offset = len(content) - len(content[one.end :].lstrip()) if content[one.end :].strip() else one.end
                yield _Token(offset, one.start, one.end, side == "inside")
                rest = rest[: one.start] + self._blank * (one.end - one.start) + rest[one.end :]  # what overlaps with it is looked at next

    def _parts(self, content: str, place: _Place) -> Iterator[_Token]:
        """The ends of a content that may be a part of a token, with what a template puts beside them."""
        shown = content.strip().casefold()
        if not shown:
            return
        first, last = content.index(content.strip()), content.index(content.strip()) + len(content.strip())
        names = [name.casefold() for name in self._names]
        inner = any(shown in name and shown != name for name in names)
        is_split = place == "inside"
        if inner or any(shown.startswith(name[cut:]) for name in names for cut in range(1, len(name))):
            yield _Token(first + (not is_split), first, first + 1, is_split)
        if inner or any(shown.endswith(name[:cut]) for name in names for cut in range(1, len(name))):
            yield _Token(last - (not is_split), last - 1, last, is_split)


def _refusal(contents: Sequence[str]) -> ValueError:
    told = ", ".join(repr(one if len(one) <= 80 else f"{one[:77]}...") for one in contents[:3])
    return ValueError(
        f"the chat template reads what looks like a special token in the content {told}, so that the prompt's own special tokens cannot "
        "be told from those of the content: leave them out of it, or pass split_special_tokens=False, which reads all as tokens"
    )
