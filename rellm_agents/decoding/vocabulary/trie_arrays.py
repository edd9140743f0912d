"""Builds the trie of all tokens as flat arrays, which can be kept on disk and walked by many tokens at once.

Nodes are numbered breadth first, so the children of a node are neighbours and ``parent * 256 + byte`` ascends: a child is found by binary
search, and a level of the trie is a slice. The tokens are sorted once; each level then takes one byte of all of them.

    tokens  a, ab, b       node 0 the root, 1 a, 2 b, 3 ab       parent 0 0 0 1     byte . a b b

Knows nothing of walks; those are in ``trie``.

>>> arrays = build_trie([b"a", b"ab", b"b", None])
>>> arrays["parent"].tolist(), bytes(arrays["byte"][1:])
([0, 0, 0, 1], b'abb')
>>> arrays["token_ids"].tolist(), arrays["token_nodes"].tolist()
([0, 2, 1], [1, 2, 3])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TrieArrays = Mapping[str, NDArray[Any]]
"""The arrays of a trie, from which all others are computed.

    parent           int32[nodes], the parent of each node; the root's is the root
    byte             uint8[nodes], the byte from the parent to the node; the root's is 0
    level_ends       int64[depths + 1], the first node after each level
    token_ids        int32[tokens], in the order of the nodes at which they end
    token_nodes      int32[tokens], these nodes
    vocabulary_size  int64[1], ids without text included
"""


def build_trie(token_bytes: Sequence[bytes | None]) -> dict[str, NDArray[Any]]:
    """The arrays of a trie.

    Args:
        token_bytes: the bytes of each id; ``None`` and ``b""``: not in the trie.
    """
    order = sorted([id_ for id_, data in enumerate(token_bytes) if data], key=token_bytes.__getitem__)  # type: ignore[arg-type]  # no None
    spelled = [token_bytes[id_] or b"" for id_ in order]
    ids = np.array(order, dtype=np.int32)
    lengths = np.array([*map(len, spelled)], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    flat = np.frombuffer(b"".join(spelled), dtype=np.uint8)
    node_of = np.zeros(len(spelled), dtype=np.int32)  # of each row's prefix so far
    parents, bytes_ = [np.zeros(1, dtype=np.int32)], [np.zeros(1, dtype=np.uint8)]
    level_ends = [1]
    rows = np.arange(len(spelled))
    for depth in range(int(lengths.max(initial=0))):
        rows = rows[lengths[rows] > depth]
        parent, byte = node_of[rows], flat[starts[rows] + depth]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (parent[1:] != parent[:-1]) | (byte[1:] != byte[:-1])  # rows are sorted: equal prefixes are neighbours
        node_of[rows] = level_ends[-1] - 1 + np.cumsum(new)
        parents.append(parent[new])
        bytes_.append(byte[new])
        level_ends.append(level_ends[-1] + len(parents[-1]))
    by_node = np.argsort(node_of, kind="stable")
    return {
        "parent": np.concatenate(parents),
        "byte": np.concatenate(bytes_),
        "level_ends": np.array(level_ends, dtype=np.int64),
        "token_ids": ids[by_node],
        "token_nodes": node_of[by_node],
        "vocabulary_size": np.array([len(token_bytes)], dtype=np.int64),
    }
