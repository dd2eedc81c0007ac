"""A report as one page: nothing is loaded from anywhere, light and dark, readable on a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from teachenv.experiments.plot_style import ACCENT, FAINT, INK, LINES
from teachenv.experiments.report_tables import Sheet

_LIGHT = {
    "page": "#ffffff",
    "card": "#f4f5f7",
    "ink": INK,
    "muted": "#595959",
    "faint": FAINT,
    "grid": "#e2e2e2",
    "accent": ACCENT,
    **{f"line{k}": colour for k, colour in enumerate(LINES[:-1])},
}
_DARK = {
    "page": "#15181d",
    "card": "#20242b",
    "ink": "#e8e8e8",
    "muted": "#b3b8c0",
    "faint": "#8f959e",
    "grid": "#353b45",
    "accent": "#ff8a3d",
    "line0": "#4aa3e0",
    "line1": "#f0b53c",
    "line2": "#2fc79b",
    "line3": "#dd9cc2",
    "line4": "#8fd0f5",
    "line5": "#c19a6b",
}
_STYLE = """
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
h1 { font-size: 1.5rem; margin: 0.3rem 0 0.8rem; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; margin: 2.4rem 0 0.6rem; border-top: 1px solid var(--grid);
  padding-top: 1rem }
h3 { font-size: 1rem; margin: 1.6rem 0 0.4rem }
a { color: inherit }
nav { font-size: 0.9rem; color: var(--muted) }
nav a { margin-right: 0.9rem; display: inline-block }
.verdict { background: var(--card); border-left: 4px solid var(--accent); padding: 0.8rem 1rem;
  margin: 0 0 1rem; font-size: 1.15rem; font-weight: 600; border-radius: 4px }
.note { color: var(--muted); font-size: 0.85rem; max-width: 48rem; margin: 0.4rem 0 }
.warn { border-left: 4px solid var(--line1); padding: 0.3rem 0.8rem; margin: 0.5rem 0;
  background: var(--card); border-radius: 4px; overflow-wrap: anywhere }
.scroll { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums }
th, td { padding: 0.3rem 0.7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--grid) }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; white-space: normal;
  min-width: 3.5rem }
td small { display: block; color: var(--muted); font-weight: 400; line-height: 1.2 }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--page) }
td:first-child { font-weight: 600 }
table.text td, table.text th { text-align: left }
table.text td:not(:first-child) { white-space: normal; overflow-wrap: anywhere; min-width: 8rem }
.row { display: flex; flex-wrap: wrap; gap: 0.5rem 1.2rem }
.row figure { flex: 1 1 20rem; max-width: 34rem; min-width: 0 }
.row.small figure { flex: 1 1 18rem; max-width: 22rem }
.row .table { flex: 1 1 20rem; min-width: 0 }
figure { margin: 0.6rem 0 }
figure svg { display: block; width: 100%; height: auto }
figure.wide { overflow-x: auto; max-width: 56rem }
figure.wide svg { min-width: 40rem }
figcaption { font-size: 0.85rem; color: var(--muted) }
img { max-width: 100%; height: auto; border-radius: 4px }
summary { cursor: pointer; font-weight: 600; padding: 0.3rem 0 }
li { margin: 0.15rem 0 }
@media print { details > * { display: block } }
"""


def page(title: str, parts: Iterable[str], data: Any) -> str:
    """Return the whole page.

    Args:
        title: What the report is about.
        parts: Its contents, as made by the other functions here.
        data: JSON values to take along, under ``<script id="data">``.
    """
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in colours.items())
        for colours in (_LIGHT, _DARK)
    )
    colours = f":root{{color-scheme:light dark;{light}}}"
    colours += f"@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    values = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{colours}{_STYLE}</style>\n</head>\n<body>",
            *parts,
            f'<script type="application/json" id="data">{values}</script>\n</body>\n</html>\n',
        ]
    )


def heading(text: str, level: int = 2, anchor: str = "") -> str:
    """Return a heading, with an anchor that :func:`contents` may point to."""
    name = f' id="{escape(anchor)}"' if anchor else ""
    return f"<h{level}{name}>{escape(text)}</h{level}>"


def contents(anchors: Iterable[tuple[str, str]]) -> str:
    """Return links to anchors: (anchor, text)."""
    links = (f'<a href="#{escape(anchor)}">{escape(text)}</a>' for anchor, text in anchors)
    return f"<nav>{''.join(links)}</nav>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; kinds are "verdict", "note" and "warn"."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def listed(texts: Iterable[str]) -> str:
    """Return a list."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def table(sheet: Sheet, words: bool = False) -> str:
    """Return a table that scrolls in its own place; with ``words``, of texts instead of figures.

    Intervals stand below their figures.
    """
    head = "".join(f"<th>{escape(text)}</th>" for text in sheet.heads)
    rows = "".join(
        f"<tr>{''.join(f'<td>{_INTERVAL.sub(_BELOW, escape(text))}</td>' for text in row)}</tr>"
        for row in sheet.rows
    )
    kind = ' class="text"' if words else ""
    body = f"<table{kind}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    note = paragraph(sheet.notes, "note") if sheet.notes else ""
    return f'<div class="table"><div class="scroll">{body}</div>{note}</div>'


_INTERVAL = re.compile(r" (\[[^\]]*\])$")
_BELOW = r" <small>\1</small>"


def figure(drawing: str, caption: str, wide: bool = False) -> str:
    """Return a drawing with its caption; a wide one has its own, and scrolls in its own place."""
    told = drawing.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    if wide:
        return f'<figure class="wide">{told}</figure>'
    return f"<figure>{told}<figcaption>{escape(caption)}</figcaption></figure>"


def moving(address: str, caption: str) -> str:
    """Return an animation, shown when asked for."""
    picture = f'<img src="{escape(address)}" alt="{escape(caption)}" loading="lazy">'
    return folded(caption, picture)


def row(figures: Sequence[str], small: bool = False) -> str:
    """Return figures beside each other where there is room."""
    return f'<div class="row{" small" if small else ""}">{"".join(figures)}</div>'


def folded(summary: str, *parts: str, shown: bool = False) -> str:
    """Return parts that can be folded away."""
    state = " open" if shown else ""
    return f"<details{state}><summary>{escape(summary)}</summary>{''.join(parts)}</details>"
