"""Pictures of scenes, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from teachenv.envs.datagen.domains.vqa_scene import COLOURS, GRID, SHAPES

__all__ = ["render", "sheet"]

_RGB: dict[str, tuple[int, int, int]] = {
    "red": (230, 40, 40),
    "green": (40, 190, 60),
    "blue": (60, 90, 240),
    "yellow": (240, 220, 50),
    "magenta": (220, 60, 220),
    "cyan": (60, 220, 220),
}
_BACKGROUND = (26, 26, 26)
_COVER = (120, 120, 120)


def render(
    scenes: NDArray[np.int8], size: int, occlusion: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw scenes, each object a little off the middle of its square.

    Args:
        scenes: What :meth:`Scenes.to_array` returns, ``(n, MAX_OBJECTS, 3)``.
        size: Width and height in pixels, a multiple of 8.
        occlusion: Share of each object's height hidden by a grey bar, in [0, 1).
        rng: Where objects stand in their squares, and where bars lie.

    Returns:
        Pixels, uint8 of shape ``(n, size, size, 3)``.
    """
    pictures = np.empty((len(scenes), size, size, 3), dtype=np.uint8)
    square = size // GRID
    width = square - 2
    offsets = rng.integers(0, square - width + 1, (*scenes.shape[:2], 2))
    bar = round(occlusion * width)
    bars = rng.integers(0, width - bar + 1, scenes.shape[:2])
    for index, scene in enumerate(scenes):
        image = Image.new("RGB", (size, size), _BACKGROUND)
        draw = ImageDraw.Draw(image)
        for (shape, colour, place), offset, down in zip(
            scene.tolist(), offsets[index].tolist(), bars[index].tolist(), strict=True
        ):
            if place < 0:
                break
            x, y = place % GRID * square + offset[0], place // GRID * square + offset[1]
            _draw(draw, SHAPES[shape], _RGB[COLOURS[colour]], x, y, width - 1)
            if bar:
                draw.rectangle((x, y + down, x + width - 1, y + down + bar - 1), _COVER)
        pictures[index] = np.asarray(image)
    return pictures


def _draw(
    draw: ImageDraw.ImageDraw, shape: str, rgb: tuple[int, int, int], x: int, y: int, width: int
) -> None:
    """Draw a shape whose box reaches from (x, y) to ``width`` pixels right and down."""
    box = (x, y, x + width, y + width)
    if shape == "circle":
        draw.ellipse(box, rgb)
    elif shape == "square":
        draw.rectangle(box, rgb)
    elif shape == "triangle":
        draw.polygon([(x, y + width), (x + width, y + width), (x + width // 2, y)], rgb)
    else:
        arm = max(1, (width + 1) // 3)
        draw.rectangle((x + arm, y, x + width - arm, y + width), rgb)
        draw.rectangle((x, y + arm, x + width, y + width - arm), rgb)


def sheet(
    pictures: NDArray[np.uint8], captions: Sequence[str], columns: int, scale: int = 5
) -> Image.Image:
    """Return a page of enlarged pictures, each with a caption of up to three lines under it.

    Args:
        pictures: Uint8 of shape ``(n, height, width, 3)``.
        captions: One per picture.
        columns: Pictures in a row.
        scale: Enlargement.
    """
    height, width = pictures.shape[1] * scale, pictures.shape[2] * scale
    step_x, step_y = width + 12, height + 48
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * step_x + 12, rows * step_y + 12), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for index, (pixels, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = 12 + index % columns * step_x, 12 + index // columns * step_y
        big = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
        page.paste(big, (x, y))
        draw.multiline_text((x, y + height + 2), caption, (0, 0, 0), spacing=1)
    return page
