"""Puts the diagrams of a pattern into one picture in SVG, which needs nothing else: colours for light and dark, links, titles.

>>> from rellm_agents import compile_regex
>>> picture = railroad(compile_regex("(yes|no)!"))
>>> picture.svg.startswith("<svg "), picture.cut
(True, '')
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rellm_agents.arguments import TEXT, checked, instance_of
from rellm_agents.patterns import Pattern
from rellm_agents.requirements import require

if TYPE_CHECKING:
    from railroad import DiagramItem

    from rellm_agents.views.diagrams.drawing import Drawing

_STYLE = """
.rellm-railroad{--line:#334155;--text:#0f172a;--soft:#475569;--page:#ffffff;--literal:#dcfce7;--set:#fef9c3;--named:#e0e7ff;--link:#dbeafe;
--cut:#fee2e2;background:var(--page);font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:14px}
@media (prefers-color-scheme:dark){.rellm-railroad{--line:#94a3b8;--text:#f1f5f9;--soft:#cbd5e1;--page:#0f172a;--literal:#14532d;
--set:#713f12;--named:#3730a3;--link:#1e40af;--cut:#7f1d1d}}
.rellm-railroad .page{fill:var(--page)}
.rellm-railroad text{fill:var(--text);text-anchor:middle;white-space:pre}
.rellm-railroad text.title{text-anchor:start;font-weight:bold}
.rellm-railroad text.note{text-anchor:start;font-weight:bold}
.rellm-railroad text.comment{fill:var(--soft);font-size:12px;font-style:italic}
.rellm-railroad path{fill:none;stroke:var(--line);stroke-width:2}
.rellm-railroad rect{stroke:var(--line);stroke-width:1.5;fill:var(--literal)}
.rellm-railroad rect.page{stroke:none;fill:var(--page)}
.rellm-railroad rect.group-box{fill:none;stroke-dasharray:6 4}
.rellm-railroad .set rect,.rellm-railroad .special rect{fill:var(--set)}
.rellm-railroad .named rect{fill:var(--named)}
.rellm-railroad .link rect{fill:var(--link)}
.rellm-railroad .link text{text-decoration:underline}
.rellm-railroad .cut rect{fill:var(--cut)}
.rellm-railroad a:focus text{font-weight:bold}
"""

_PREFIX = "rule-"  # of ids, while they are not made unique
_TITLE_HEIGHT = 30
_GAP = 10


@dataclass(frozen=True)
class Diagram:
    """A picture of a pattern.

    Attributes:
        svg: the picture, as one ``<svg>`` element that needs nothing else.
        title: what it is of.
        cut: what is left out since it is too much, also said in the picture; empty: nothing is.
    """

    svg: str
    title: str
    cut: str = ""

    def _repr_html_(self) -> str:
        """The picture, as notebooks show it."""
        return f'<div style="overflow:auto;max-height:80vh">{self.svg}</div>'

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, which is named ``*.svg`` as a rule."""
        Path(path).write_text(self.svg, encoding="utf-8")


@checked(pattern=instance_of(Pattern, words="a pattern, such as compile_schema(...)"), title=TEXT)
def railroad(pattern: Pattern, *, title: str = "Railroad diagram of a pattern") -> Diagram:
    """The railroad diagram of a pattern: one for each rule, with links between them.

    Properties, items and ``$ref`` that lead on are rules. Parts that many patterns share, such as any string, are one box with a name.

    Args:
        pattern: of a schema, a regex or a format, such as ``react(tools).pattern``.
        title: what it is of, for screen readers.

    Raises:
        MissingExtra: the package ``railroad-diagrams`` is not installed.

    >>> from rellm_agents import compile_schema
    >>> "any list" in railroad(compile_schema({"type": "array"})).svg
    True
    """
    require("railroad", extra="cli", purpose="a railroad diagram")
    from rellm_agents.views.diagrams.drawing import Drawing  # noqa: PLC0415 - imports railroad

    drawing = Drawing(pattern.node, _PREFIX)
    return Diagram(_with_own_ids(_svg(drawing, title)), title, drawing.cut)


def _with_own_ids(svg: str) -> str:
    """The same with ids that no other picture in the same page has."""
    own = f"rule-{sha256(svg.encode()).hexdigest()[:8]}-"
    return svg.replace(f'id="{_PREFIX}', f'id="{own}').replace(f'href="#{_PREFIX}', f'href="#{own}')


def _nested(track: DiagramItem, y: float) -> tuple[str, float, float]:
    """One diagram as an ``<svg>`` inside of another one; its width and height."""
    from railroad import Diagram as Track  # noqa: PLC0415 - an optional dependency

    diagram = Track(track, type="complex").format(10, 20, 10, 20)
    diagram.attrs |= {"x": "0", "y": f"{y:g}"}
    written: list[str] = []
    diagram.writeSvg(written.append)
    return "".join(written), float(diagram.attrs["width"]), float(diagram.attrs["height"])


def _svg(drawing: Drawing, title: str) -> str:
    parts: list[str] = []
    width, y = 200.0, 10.0
    links = 0
    if drawing.cut:
        y += _TITLE_HEIGHT
        parts.append(f'<text class="note" x="{_GAP}" y="{y - _GAP}">{escape(drawing.cut)}</text>')
        width = max(width, 9 * len(drawing.cut))
    for one in drawing.diagrams:
        svg, inner_width, inner_height = _nested(one.track, y + _TITLE_HEIGHT)
        parts.append(f'<g id="{one.id}" role="group" aria-label="{escape(one.title)}">')
        parts.append(f'<text class="title" x="{_GAP}" y="{y + 20:g}">{escape(one.title)}</text>{svg}</g>')
        links += svg.count("<a ")
        width, y = max(width, inner_width), y + _TITLE_HEIGHT + inner_height
    # What an image holds is hidden from screen readers, links too: with links, the whole is a group.
    role = "group" if links else "img"
    size = f'width="{width:g}" height="{y:g}" viewBox="0 0 {width:g} {y:g}"'
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    label = escape(title)
    head = f'<svg {names} class="rellm-railroad" role="{role}" aria-label="{label}" {size}><title>{label}</title><style>{_STYLE}</style>'
    return "\n".join([head, f'<rect class="page" width="{width:g}" height="{y:g}"/>', *parts, "</svg>"])
