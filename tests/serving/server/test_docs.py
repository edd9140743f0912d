"""The page on the server says what it does: the table of fields is that of the reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rellm_agents.serving.server.reading.requests import CHAT, COMPLETION, WITHOUT_EFFECT

PAGE = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")


def names(fields: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(fields))


def refused(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: reader for name, reader in fields.items() if getattr(reader, "__qualname__", "").startswith("refused.")}


def test_the_table_of_fields_is_that_of_the_reader() -> None:
    rows = ["| | `/v1/chat/completions` | `/v1/completions` |", "|---|---|---|"]
    kept = [{name: one for name, one in fields.items() if name not in {*WITHOUT_EFFECT, *refused(fields)}} for fields in (CHAT, COMPLETION)]
    rows.append(f"| honoured | {names(kept[0])} | {names(kept[1])} |")
    rows.append(f"| without effect | {names(WITHOUT_EFFECT)} | the same |")
    rows.append(f"| refused with advice | {names(refused(CHAT))} | {names(refused(COMPLETION))} |")
    assert "\n".join(rows) in PAGE, "\n".join(rows)
