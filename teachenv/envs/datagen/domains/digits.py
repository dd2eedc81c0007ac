"""Handwritten digits: scikit-learn's 1,797 images of 8 x 8 pixels, corrupted more and more."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.domains.classes import ClassAnswers
from teachenv.envs.datagen.items import Format, Items, content_keys
from teachenv.errors import at_least

__all__ = ["Digits"]

NOISE = (0.0, 0.1, 0.2)
"""Standard deviation of the pixel noise of each level; pixels are in [0, 1]. A linear student
taught plenty of all levels gets 0.93, 0.93 and 0.91 right."""


class Digits(ClassAnswers):
    """Which digit is it? A skill is a class, a level how noisy the picture is.

    The split is by the clean picture: its noisy versions stay on its side. The fastest domain.

    Args:
        n_noise: Further skills whose pictures are those of the first classes, each with a mark
            of its own, and random labels.
        n_known: Further skills that every student has mastered: one fixed mark each.

    Raises:
        UserError: for a number below 0.
    """

    id = "digits"
    n_levels = len(NOISE)
    student = "sgd"
    usual: Mapping[str, Any] = MappingProxyType(
        {
            "n_steps": 8,
            "n_samples": 8,
            "epochs": 20,
            "probe_size": 10,
            "profile": "random",
            "n_profiles": 0,
            "warm_levels": len(NOISE),
            "base_samples": 20,
            "base_epochs": 20,
        }
    )

    def __init__(self, *, n_noise: int = 0, n_known: int = 0) -> None:
        names = [f"digit {n}" for n in range(10)]
        names += [f"noise {n}" for n in range(at_least(0, "n_noise", n_noise))]
        names += [f"known {n}" for n in range(at_least(0, "n_known", n_known))]
        self.skills = tuple(names)
        kinds = ["taught"] * 10 + ["noise"] * n_noise + ["known"] * n_known
        self.kinds = np.repeat(np.array(kinds)[:, None], self.n_levels, axis=1)
        self.format = Format({"features": (64 + n_noise + n_known,)}, "class", 10 + n_known)
        self.feature_names = tuple(f"pixel {n}" for n in range(64))

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw items of a cell; see :class:`teachenv.envs.datagen.domain.Domain`."""
        pictures, classes, keys = _pictures()
        inputs = np.zeros((n, *self.format.fields["features"]), dtype=np.float32)
        kind = self.kinds[skill, level]
        source = skill if kind == "taught" else (skill - 10) % 10
        of_class = classes[source]
        index = rng.choice(of_class[keep(keys[of_class])], n)
        if kind != "known":
            noise = rng.standard_normal((n, 64), dtype=np.float32)
            inputs[:, :64] = pictures[index] + np.float32(NOISE[level]) * noise
        if kind != "taught":
            inputs[:, 64 + skill - 10] = 1.0
        if kind == "noise":
            truth = rng.integers(0, 10, n).astype(np.int16)
        else:
            label = skill if kind == "taught" else self.format.n_answers - len(self.skills) + skill
            truth = np.full(n, label, dtype=np.int16)
        where = np.full(n, skill, dtype=np.int16), np.full(n, level, dtype=np.int16)
        return Items({"features": inputs}, truth, truth, *where, keys[index])

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return another digit for every item."""
        step = rng.integers(1, 10, len(items)).astype(np.int16)
        return (items.truth + step) % np.int16(10)

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return the pixels, cut to [0, 1]."""
        pixels: NDArray[np.float32] = items.inputs["features"][:, :64]
        return np.clip(pixels, 0.0, 1.0)

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return the picture in characters and the digit."""
        rows = items.inputs["features"][index, :64].reshape(8, 8)
        marks = np.array(list(" .:+#"))[np.clip(rows * 5, 0, 4).astype(int)]
        picture = "\n".join("".join(row) for row in marks)
        return {"question": picture, "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return the digit's name."""
        return str(int(answer))


@functools.cache
def _pictures() -> tuple[NDArray[np.float32], list[NDArray[np.int64]], NDArray[np.uint64]]:
    """Return pixels in [0, 1] of shape ``(1797, 64)``, the pictures of each class, and keys."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    pixels = data.data.astype(np.uint8)
    keys = content_keys(row.tobytes() for row in pixels)
    classes = [np.flatnonzero(data.target == digit) for digit in range(10)]
    return (pixels / 16.0).astype(np.float32), classes, keys
