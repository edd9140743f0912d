r"""Encodes a text in which only some special tokens are meant: those of a *frame*, such as the borders of a chat's messages, are tokens.

Anybody can type ``<|im_end|>`` into a message. A tokenizer reads it as the token wherever it stands, and so a message may end another one.
Here a caller tells which of the special tokens are the frame's own. These are given other names, which nobody knows, in a private copy of
the tokenizer that knows no others; then the whole text is encoded at once. So all else is as ever: what is put before a text or
taken from its edges, the normalizer, and how text is split into words.

    text     <|im_start|>user\nI typed <|im_end|><|im_end|>     frame: the first and the last
    encoded  <secret 1>user\nI typed <|im_end|><secret 2>       the one in between is text

An added token of words or white space is text like any other, and stays one token. Knows nothing of chats.

>>> from tokenizers import Tokenizer, models, decoders
>>> from transformers import PreTrainedTokenizerFast
>>> backend = Tokenizer(models.BPE({"a": 0, "<": 1, ">": 2, "<a>": 3}, []))
>>> backend.decoder = decoders.Fuse()
>>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<a>")
>>> framed = framed_tokenizer_of(tokenizer)
>>> first, second = framed.find("a<a>a<a>")
>>> framed.encode("a<a>a<a>", [second])
[0, 1, 0, 2, 0, 3]
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from weakref import WeakKeyDictionary

from tokenizers import AddedToken, Tokenizer, models

from rellm_agents.caches import cached_property
from rellm_agents.decoding.vocabulary import fast_backend, special_contents
from rellm_agents.errors import VocabularyError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class SpecialTokenAt(NamedTuple):
    """A special token in a text.

    Attributes:
        start, end: characters of the text, without white space that the token takes with it.
        content: its name.
    """

    start: int
    end: int
    content: str


class EncodedPrompt(str):
    """A prompt whose tokens are known already: reads as its text, and is not encoded again.

    Attributes:
        ids: of its tokens.
        asked: the last message of the user in it, where it is a chat's.
    """

    ids: tuple[int, ...]
    asked: str
    __slots__ = ("asked", "ids")

    def __new__(cls, text: str, ids: Iterable[int], asked: str = "") -> Self:
        """Of a text and the ids of its tokens."""
        made = super().__new__(cls, text)
        made.ids, made.asked = tuple(ids), asked
        return made

    def __getnewargs__(self) -> tuple[str, tuple[int, ...], str]:  # type: ignore[override]  # for ``pickle``
        return str(self), self.ids, self.asked


class FramedTokenizer:
    """Finds special tokens in texts, and encodes texts of which only some are meant. Safe to share between threads.

    Args:
        tokenizer: a fast tokenizer, as it is now: tokens that are added later are not known.

    Attributes:
        contents: the special tokens and the markup that no content should be read as.

    Raises:
        VocabularyError: not a fast tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._backend = fast_backend(tokenizer)
        added = self._backend.get_added_tokens_decoder()
        self._ids = {content: id_ for id_, content in special_contents(tokenizer).items() if id_ in added}
        self.contents: frozenset[str] = frozenset(self._ids)
        rest = f"rest {secrets.token_hex(16)}"
        self._finder = Tokenizer(models.WordLevel({rest: 0}, unk_token=rest))  # which reads all but the added tokens as one
        if self._backend.normalizer is not None:
            self._finder.normalizer = self._backend.normalizer
        self._finder.add_tokens([_copy(added[id_]) for id_ in sorted(added)])
        self._found = {self._finder.token_to_id(content): content for content in self.contents}

    def find(self, text: str) -> list[SpecialTokenAt]:
        """The special tokens that the tokenizer reads in a text, in their order."""
        read = self._finder.encode(text, add_special_tokens=False)
        pairs = zip(read.ids, read.offsets, strict=True)
        return [_inside(text, start, end, self._found[id_]) for id_, (start, end) in pairs if id_ in self._found]

    def encode(self, text: str, frame: Sequence[SpecialTokenAt]) -> list[int]:
        """The ids of a text whose special tokens are those of the frame; what else looks like one is text.

        Args:
            text: the whole text; nothing is put around it.
            frame: some of what :meth:`find` finds in it, in their order.

        Raises:
            VocabularyError: the tokenizer has a part that is written in Python, and so cannot be copied.
        """
        copy, names = self._private
        pieces, at = [], 0
        for token in frame:
            pieces += [text[at : token.start], names[token.content]]
            at = token.end
        ids: list[int] = copy.encode("".join((*pieces, text[at:])), add_special_tokens=False).ids
        return ids

    @cached_property
    def _private(self) -> tuple[Tokenizer, Mapping[str, str]]:
        """The private copy, and the names that special tokens have in it."""
        secret = secrets.token_hex(16)
        # The ends are those of the token, since they decide whether what stands beside it is a word of its own. A "q" stands in no other
        # place than the second, so no name begins inside of another.
        names = {content: f"{content[0]}q{secret}{number:04x}{content[-1]}" for number, content in enumerate(sorted(self.contents))}
        try:
            made = json.loads(self._backend.to_str())
        except Exception as error:  # the binding raises no class of its own
            raise VocabularyError(
                f"this tokenizer cannot be copied, so that special tokens in messages would be read as such: {error}. Pass "
                "split_special_tokens=False to have them read so"
            ) from error
        made.update(truncation=None, padding=None, post_processor=None)
        for token in made["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        _rename(made["model"], names)
        return Tokenizer.from_str(json.dumps(made)), names


_known: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[object, FramedTokenizer]] = WeakKeyDictionary()
_lock = threading.Lock()


def framed_tokenizer_of(tokenizer: PreTrainedTokenizerBase) -> FramedTokenizer:
    """The framed tokenizer of a tokenizer; the same one until tokens are added to it.

    Raises:
        VocabularyError: not a fast tokenizer.
    """
    backend = fast_backend(tokenizer)
    version = id(backend), backend.get_vocab_size(with_added_tokens=True), tuple(tokenizer.all_special_ids)
    with _lock:
        known, framed = _known.get(tokenizer, (None, None))
        if framed is None or known != version:
            framed = FramedTokenizer(tokenizer)
            _known[tokenizer] = version, framed
        return framed


def _inside(text: str, start: int, end: int, content: str) -> SpecialTokenAt:
    """A token at these characters, among which is white space that it takes with it."""
    if not content[0].isspace():
        start = end - len(text[start:end].lstrip())
    if not content[-1].isspace():
        end = start + len(text[start:end].rstrip())
    return SpecialTokenAt(start, end, content)


def _copy(token: AddedToken) -> AddedToken:
    """An added token of the same reading; none is special, which changes nothing but how texts are shown."""
    return AddedToken(
        token.content, single_word=token.single_word, lstrip=token.lstrip, rstrip=token.rstrip, normalized=token.normalized, special=False
    )


def _rename(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Give tokens other names in the JSON of a tokenizer's model, which otherwise could write them as text."""
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(text, text): id_ for text, id_ in vocab.items()}
    else:  # of a Unigram model: pairs of a text and a score, by id
        model["vocab"] = [[names.get(text, text), score] for text, score in vocab]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        pairs = [pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"]]
        prefix = len(model.get("continuing_subword_prefix") or "")
        model["merges"] = [
            [left, right] for left, right in pairs if names.keys().isdisjoint((left, right, left + right, left + right[prefix:]))
        ]
