"""Vocabularies on disk: what is read back is what would be built, whatever lies there, and whoever writes at the same time."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import zlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models
from toys import END, byte_fallback_tokenizer
from transformers import PreTrainedTokenizerFast

from rellm_agents import compile_regex
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.vocabulary import array_files, vocabulary
from rellm_agents.decoding.vocabulary.array_files import read_arrays, write_arrays
from rellm_agents.decoding.vocabulary.tokenizer_digest import digest_of

SIZE = 5_000
LETTERS = "abcdefghij"
WORDS = ["?", *("".join(LETTERS[int(digit)] for digit in f"{i:04}") for i in range(SIZE))]

WRITER = """
import importlib.util
import sys
from pathlib import Path
import numpy as np

spec = importlib.util.spec_from_file_location("array_files", sys.argv[3])  # alone, since torch takes seconds to be imported
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
path, mine = Path(sys.argv[1]), int(sys.argv[2])
for _ in range(300):
    files.write_arrays(path, {"a": np.full(5_000 * mine, mine, dtype=np.int32), "b": np.array([mine])})
    found = files.read_arrays(path)
    assert found is not None and set(found["a"].tolist()) == set(found["b"].tolist())
    assert len(found["a"]) == 5_000 * int(found["b"][0])
"""


def tokenizer_of(
    words: list[str] = WORDS, *, added: tuple[AddedToken, ...] = (), decoder: decoders.Decoder | None = None, unknown: str = "?"
) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    if decoder is not None:
        backend.decoder = decoder
    backend.add_special_tokens([AddedToken(END, special=True)])
    backend.add_tokens([*added])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tokenizer_of()


@pytest.fixture(scope="module")
def built(tokenizer) -> Vocabulary:
    return Vocabulary.from_tokenizer(tokenizer, cache_dir=False)


def files_of(cache_dir: Path) -> list[Path]:
    return [path for path in cache_dir.rglob("*") if path.is_file()]


def assert_same(one: Vocabulary, other: Vocabulary) -> None:
    assert tuple(one.token_bytes) == tuple(other.token_bytes)
    assert (one.size, one.end_ids, one.spelled_bytes) == (other.size, other.end_ids, other.spelled_bytes)
    assert one.trie.arrays().keys() <= {*other.trie.arrays()} | {"token_bytes", "token_ends"}
    for name in ("parent", "byte", "level_ends", "token_ids", "token_nodes", "vocabulary_size"):
        assert one.trie.arrays()[name].tolist() == other.trie.arrays()[name].tolist()


def test_a_vocabulary_is_read_once_and_then_found_on_disk(tokenizer, built, tmp_path, monkeypatch):
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
    assert len(files_of(tmp_path)) == 1
    monkeypatch.setattr(vocabulary, "read_tokens", None)
    found = Vocabulary.from_tokenizer(tokenizer, cache_dir=str(tmp_path))
    assert_same(found, built)
    assert not found.trie.parent.flags.writeable


@pytest.mark.parametrize("text", [r" abca( \w+){3}", r"(?s).*", "( aaaa| bbbb)+"])
def test_masks_of_a_vocabulary_from_the_disk_are_those_of_one_that_was_built(text, tokenizer, built, tmp_path):
    Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path)
    one, other = (TokenMasks(compile_regex(text), which) for which in (Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built))
    state, other_state, chance = one.start, other.start, random.Random(0)
    for _ in range(4):
        bits = one.bits(state)
        assert bits.tolist() == other.bits(other_state).tolist()
        assert one.tokens_needed(state) == other.tokens_needed(other_state)
        allowed = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little", count=built.size))
        token_id = int(chance.choice(allowed))
        state, other_state = one.advance(state, token_id), other.advance(other_state, token_id)


def test_a_file_that_is_not_whole_is_told(tmp_path):
    path, chance = tmp_path / "a.arrays", random.Random(0)
    arrays = {"a": np.arange(100, dtype=np.int32), "b": np.zeros(0, dtype=np.uint8), "c": np.arange(7, dtype=np.uint8)}
    write_arrays(path, arrays)
    whole = path.read_bytes()
    found = read_arrays(path)
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {n: (a.dtype, a.tolist()) for n, a in arrays.items()}
    damaged = [whole[:length] for length in range(len(whole))]
    for _ in range(300):
        at = chance.randrange(len(whole))
        damaged.append(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
    damaged += [whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2), bytes(len(whole)), whole + b"\0", whole + whole]
    for data in damaged:
        path.write_bytes(data)
        found = read_arrays(path)
        assert found is None


@pytest.mark.parametrize("damage", ["empty", "cut", "another", "zeros"])
def test_a_damaged_file_is_made_anew(damage, tokenizer, built, tmp_path):
    Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path)
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "another": b"{}", "zeros": bytes(len(whole))}[damage])
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
    assert path.read_bytes() == whole


def test_no_file_is_taken_for_another_or_for_one_that_was_changed_on_purpose(tokenizer, built, tmp_path):
    """Random damage, with the checksum of earlier versions put right; another vocabulary under the name; what is no file."""
    Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path)
    (path,) = files_of(tmp_path)
    Vocabulary.from_tokenizer(tokenizer_of([*WORDS[:-2], WORDS[-1], WORDS[-2]]), cache_dir=tmp_path)
    (other,) = {*files_of(tmp_path)} - {path}
    whole, chance = path.read_bytes(), random.Random(0)
    digest = whole[20:84]
    damaged = [other.read_bytes(), other.read_bytes().replace(other.read_bytes()[20:84], digest)]
    for _ in range(40):
        at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        changed = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
        damaged += [changed, changed[:20] + b"%08x" % zlib.crc32(changed[84:]) + changed[84:], changed[: chance.randrange(len(whole))]]
    for data in damaged:
        path.write_bytes(data)
        assert read_arrays(path) is None or data == whole
    for data in damaged[:4]:
        path.write_bytes(data)
        assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
        assert path.read_bytes() == whole


def test_a_link_or_a_folder_in_place_of_a_file_is_not_read(tokenizer, built, tmp_path):
    Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path)
    (path,) = files_of(tmp_path)
    path.rename(tmp_path / path.name)
    path.symlink_to(tmp_path / path.name)
    assert read_arrays(path) is None
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
    path.unlink()
    path.mkdir()
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
def test_only_the_users_own_files_are_read_and_the_folder_is_the_users_alone(tokenizer, built, tmp_path, monkeypatch):
    Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path)
    (path,) = files_of(tmp_path)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)
    assert read_arrays(path) is None
    path.chmod(0o600)
    path.parent.chmod(0o777)
    assert read_arrays(path) is None
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        for one in (path, path.parent):
            os.chown(one, 12345, 12345)
            assert read_arrays(path) is None
            assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
        assert not os.access(path, os.X_OK)


def test_the_folder_is_bounded_and_what_was_not_used_for_longest_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(array_files, "MAX_BYTES", 10_000)
    paths = [tmp_path / "vocabularies" / f"{number}.arrays" for number in range(6)]
    for age, path in zip(range(6, 0, -1), paths, strict=True):
        write_arrays(path, {"a": np.zeros(2_000, dtype=np.uint8)})
        if path.exists():
            os.utime(path, (1_000_000 - age, 1_000_000 - age))
        if path == paths[3]:
            assert read_arrays(paths[0]) is not None  # which is now the one that was used last
    assert [path.name for path in paths if path.exists()] == ["0.arrays", "3.arrays", "4.arrays", "5.arrays"]
    write_arrays(paths[1], {"a": np.zeros(20_000, dtype=np.uint8)})  # one alone may be larger
    assert [path.name for path in paths if path.exists()] == ["1.arrays"]


def test_whatever_the_bytes_depend_on_changes_the_digest():
    swapped = [*WORDS[:-2], WORDS[-1], WORDS[-2]]
    variants = [
        digest_of(tokenizer_of()),
        digest_of(tokenizer_of(swapped)),
        digest_of(tokenizer_of(WORDS[:-1])),
        digest_of(tokenizer_of([*WORDS[:-1], "a b"])),  # spaces within tokens: joined, they could be others
        digest_of(tokenizer_of([*WORDS[:-2], "a", "b"])),
        digest_of(tokenizer_of([*WORDS[:-2], "a", "b c"])),
        digest_of(tokenizer_of([*WORDS[:-2], "a b", "c"])),
        digest_of(tokenizer_of([*WORDS[:63], "a\n\nb", "c"])),
        digest_of(tokenizer_of([*WORDS[:63], "a", "b\n\nc"])),
        digest_of(tokenizer_of(decoder=decoders.Fuse())),
        digest_of(tokenizer_of(decoder=decoders.Metaspace())),
        digest_of(tokenizer_of(unknown=WORDS[7])),
        digest_of(tokenizer_of(added=(AddedToken("word"),))),
        digest_of(tokenizer_of(added=(AddedToken("word", special=True),))),
        digest_of(tokenizer_of(added=(AddedToken("wort"),))),
        digest_of(tokenizer_of(), end_ids=[1]),
        digest_of(tokenizer_of(), end_ids=[1, 2]),
        digest_of(tokenizer_of(), end_ids=[1], size=6_000),
        digest_of(byte_fallback_tokenizer()),
        digest_of(byte_fallback_tokenizer(prefix_space=True)),
    ]
    for one, other in combinations(range(len(variants)), 2):
        assert variants[one] != variants[other], (one, other)
    assert digest_of(tokenizer_of()) == variants[0]


def test_ids_that_are_left_out_change_the_digest():
    def with_ids(ids: dict[str, int]) -> PreTrainedTokenizerFast:
        backend = Tokenizer(models.WordLevel(ids, unk_token="?"))
        backend.add_special_tokens([AddedToken(END, special=True)])
        return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END)

    given = [{"?": 0, "a": 1, "b": 2}, {"?": 0, "a": 1, "b": 3}, {"?": 0, "a": 1, "b": 4}, {"?": 0, "a b": 1, "c": 5}]
    assert len({digest_of(with_ids(ids)) for ids in given}) == len(given)


def test_a_folder_that_cannot_be_used_is_no_error(tokenizer, built, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, "rellm_agents.decoding.vocabulary.array_files")
    (tmp_path / "file").write_text("a file, no folder")
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path / "file"), built)

    def refused(*args, **options):
        raise PermissionError(13, "Permission denied")

    for broken in ("mkdir", "replace", "read_bytes"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, broken, refused)
            assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path / broken), built)
        assert len(files_of(tmp_path / broken)) == (broken == "read_bytes")
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert "cannot be written" in caplog.text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only to the superuser")
def test_a_read_only_folder_is_no_error(tokenizer, built, tmp_path):
    tmp_path.chmod(0o500)
    assert_same(Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path), built)
    assert not files_of(tmp_path)


def test_writers_at_the_same_time_leave_a_whole_file_always(tmp_path):
    path = tmp_path / "a.arrays"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, str(mine), array_files.__file__]) for mine in (1, 2)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert read_arrays(path) is not None
    assert files_of(tmp_path) == [path]


def test_what_killed_writers_left_is_swept_when_it_is_old(tokenizer, tmp_path):
    folder = tmp_path / "vocabularies"
    folder.mkdir(parents=True)
    old, new, other = folder / "writing-old", folder / "writing-new", folder / "another"
    for path in (old, new, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (1, 1))
    Vocabulary.from_tokenizer(tokenizer, cache_dir=tmp_path)
    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)


def test_it_is_kept_in_the_users_cache_by_default_unless_small_or_unwanted(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary.platformdirs, "user_cache_dir", lambda name, **_: str(tmp_path / name))
    Vocabulary.from_tokenizer(tokenizer, cache_dir=False)
    Vocabulary.from_tokenizer(byte_fallback_tokenizer())
    assert not files_of(tmp_path)
    Vocabulary.from_tokenizer(tokenizer)
    assert [path.parent for path in files_of(tmp_path)] == [tmp_path / "rellm-agents" / "vocabularies"]
