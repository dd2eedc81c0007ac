"""Figures of a study as files, and as pictures inside a page that follow its colours."""

from __future__ import annotations

import base64
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image

from teachenv.experiments.plot_animation import animation_frames
from teachenv.experiments.plot_data import RunView
from teachenv.experiments.plot_style import ACCENT, FAINT, INK, LINES

DPI = 160
MAX_SHAPES = 400
"""Collections of more shapes than this are pictures inside the drawing."""

N_FRAMES = 24
MAX_GIF = 700_000
"""Bytes of an animation; longer ones lose frames, then size."""

COLOURS = {
    INK: "ink",
    "#000000": "ink",
    "#595959": "muted",
    FAINT: "faint",
    "#e6e6e6": "grid",
    "#c9c9c9": "grid",
    "#f4f4f4": "card",
    "#ffffff": "page",
    ACCENT: "accent",
    **{colour: f"line{k}" for k, colour in enumerate(LINES[:-1])},
}
"""Colours of the figures -> variables of the page that take their place."""


def save_figure(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as PNG and SVG, and return it as a drawing for a page.

    Args:
        figure: The figure.
        folder: Where to.
        name: Of the files, without ending.

    Returns:
        An ``<svg>`` element as wide as what holds it, in the colours of the page.
    """
    picture = io.BytesIO()
    figure.savefig(picture, dpi=DPI)
    colours = Image.open(picture).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    colours.save(folder / f"{name}.png", optimize=True)
    for ax in figure.axes:
        for artist in _many_shapes(ax):
            artist.set_rasterized(True)
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            text, format="svg", dpi=DPI, transparent=True, metadata=dict.fromkeys(_METADATA)
        )
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    alone = drawing.replace("<svg", '<svg style="background: #ffffff"', 1)
    (folder / f"{name}.svg").write_text(alone)
    return _themed(drawing)


_METADATA = ("Creator", "Date", "Format", "Type")


def outline_points(figure: Figure) -> None:
    """Give points a fine edge, so that the darkest are seen on a dark page too."""
    for ax in figure.axes:
        for collection in ax.collections:
            if isinstance(collection, PathCollection):
                collection.set(edgecolor=FAINT, linewidth=0.4)


def animation(view: RunView) -> str | None:
    """Return the developing curriculum as a GIF in a ``data:`` address; ``None`` if too large."""
    frames = [Image.fromarray(frame) for frame in animation_frames(view, N_FRAMES)]
    for every, width in itertools.product((1, 2), (640, 480)):
        height = round(frames[0].height * width / frames[0].width)
        kept = frames[every - 1 :: every]
        small = _few_colours(
            [frame.resize((width, height), Image.Resampling.LANCZOS) for frame in kept]
        )
        file = io.BytesIO()
        small[0].save(
            file, "GIF", save_all=True, append_images=small[1:], duration=300 * every, loop=0
        )
        if file.tell() <= MAX_GIF:
            return "data:image/gif;base64," + base64.b64encode(file.getvalue()).decode()
    return None


def _few_colours(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Return frames in 128 colours, the same in all, rare ones among them: scores stay true."""
    palette = frames[-1].quantize(128, Image.Quantize.MAXCOVERAGE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _many_shapes(ax: Axes) -> Iterator[Artist]:
    for collection in ax.collections:
        values = collection.get_array()
        n_shapes = max(
            len(np.asarray(collection.get_offsets())), 0 if values is None else np.size(values)
        )
        if n_shapes > MAX_SHAPES:
            yield collection


def _themed(drawing: str) -> str:
    """Return a drawing whose colours are the page's, and whose size is its place's.

    Groups lose their names, which are the same in every drawing.
    """
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    for colour, name in COLOURS.items():
        drawing = re.sub(
            rf"(fill|stroke): {colour}\b", rf"\1: var(--{name})", drawing, flags=re.IGNORECASE
        )
    drawing = re.sub(r'(<svg[^>]*?) width="[\d.]+pt" height="[\d.]+pt"', r"\1", drawing, count=1)
    return re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", drawing, count=1)
