"""The skills a teacher is told of: the domain's own, or found in its questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.classroom import Scores, cell_means
from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import draw
from teachenv.lesson import Cells
from teachenv.seeding import derive, derive_int

__all__ = ["SOURCES", "Finder", "Gold", "Grouping", "Inferred", "Shuffled", "SkillView", "view_of"]

SOURCES = ("gold", "inferred", "shuffled")

SAMPLE = 40
"""Probe questions per cell that groups are found in."""


class Grouping(Protocol):
    """A division of questions into skills.

    Whoever finds skills (a clustering, a language model) gives one.

    Attributes:
        names: Names of the skills.
    """

    names: tuple[str, ...]

    def label(self, items: Items) -> NDArray[np.int64]:
        """Return the skill of every item, an index into ``names``; seeing only the question."""


Finder = Callable[[Domain, Items, int, int], Grouping]
"""Finds skills: given the domain, questions of all its cells, how many skills, and a seed."""


class Gold:
    """The domain's own skills."""

    def __init__(self, domain: Domain) -> None:
        self.names = domain.skills

    def label(self, items: Items) -> NDArray[np.int64]:
        """Return the skill of every item."""
        return items.skill.astype(np.int64)


class Inferred:
    """Clusters of what is seen of the questions (k-means).

    Args:
        domain: Tells what is seen.
        items: Questions to find the clusters in.
        n_skills: How many.
        seed: Of the first centres.
    """

    def __init__(self, domain: Domain, items: Items, n_skills: int, seed: int) -> None:
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        self._domain = domain
        self.names = tuple(f"skill {n}" for n in range(n_skills))
        model = KMeans(n_skills, n_init=4, random_state=derive_int(seed, "clusters"))
        with threadpool_limits(1):
            model.fit(domain.features(items))
        self._centres: NDArray[np.float32] = model.cluster_centers_.astype(np.float32)

    def label(self, items: Items) -> NDArray[np.int64]:
        """Return the nearest cluster of every item."""
        features = self._domain.features(items)
        distance = (self._centres**2).sum(axis=1) - 2.0 * features @ self._centres.T
        labels: NDArray[np.int64] = distance.argmin(axis=1)
        return labels


class Shuffled:
    """Groups that mean nothing: equal questions stay together, the rest is chance.

    Args:
        n_skills: How many.
    """

    def __init__(self, n_skills: int) -> None:
        self.names = tuple(f"skill {n}" for n in range(n_skills))

    def label(self, items: Items) -> NDArray[np.int64]:
        """Return the group of every item, from its content."""
        mixed = items.keys // np.uint64(100)  # the last hundredths decide on the part
        return (mixed % np.uint64(len(self.names))).astype(np.int64)


class SkillView:
    """Translates between the skills a teacher is told of and those that are generated.

    A told cell is generated as the mixture of the domain's cells whose questions it is made of,
    at the same level.

    Args:
        domain: The domain.
        grouping: Its skills as told.
        items: Questions from all its cells, equally many; ``None`` if the skills are its own.
    """

    def __init__(self, domain: Domain, grouping: Grouping, items: Items | None) -> None:
        self.grouping = grouping
        self.names = grouping.names
        self.shape = len(grouping.names), domain.n_levels
        self.shares: NDArray[np.float64] | None = None
        """Of the domain's skills in a told cell, float64 ``(*shape, n_domain_skills)``; ``None``
        if they are the same."""
        if items is not None:
            counts = np.zeros((*self.shape, len(domain.skills)))
            np.add.at(counts, (grouping.label(items), items.level, items.skill), 1.0)
            at_all = counts.sum(axis=1, keepdims=True) + 1e-9
            counts = np.where(counts.sum(axis=2, keepdims=True) > 0.0, counts, at_all)
            self.shares = counts / counts.sum(axis=2, keepdims=True)

    def generated(self, counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return samples per cell of the domain for samples per told cell; sums are equal."""
        if self.shares is None:
            return counts
        made = np.zeros((self.shares.shape[2], self.shape[1]), dtype=np.int64)
        for skill, level in np.argwhere(counts > 0):
            made[:, level] += rng.multinomial(counts[skill, level], self.shares[skill, level])
        return made

    def told(self, values: Cells) -> Cells:
        """Return the mean of values of the domain's cells in every told cell."""
        if self.shares is None:
            return values
        mean: Cells = np.einsum("kls,sl->kl", self.shares, values)
        return mean

    def means(self, items: Items, values: NDArray[np.generic]) -> Cells:
        """Return the mean of a value per item in every told cell, 0 where there is none."""
        return cell_means(self.grouping.label(items), items.level, values, self.shape)

    def change(self, before: Scores, after: Scores) -> Cells:
        """Return the change of accuracy in every told cell, 0 where either has no question."""
        means = [self.means(scores.items, scores.right) for scores in (before, after)]
        seen = (self.count(before.items) > 0) & (self.count(after.items) > 0)
        change: Cells = (means[1] - means[0]) * seen
        return change

    def count(self, items: Items | None) -> NDArray[np.int64]:
        """Return the items in every told cell."""
        if items is None:
            return np.zeros(self.shape, dtype=np.int64)
        flat = self.grouping.label(items) * self.shape[1] + items.level
        return np.bincount(flat, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)


def view_of(domain: Domain, source: str | Finder, n_skills: int = 0, seed: int = 0) -> SkillView:
    """Return a domain's skills as told.

    Args:
        domain: The domain.
        source: "gold", "inferred" or "shuffled", or who finds them.
        n_skills: How many to find; 0 for as many as the domain has.
        seed: Of the questions they are found in.
    """
    if source == "gold":
        return SkillView(domain, Gold(domain), None)
    rng, n_skills = derive(seed, "skills"), n_skills or len(domain.skills)
    cells = np.ndindex(*domain.kinds.shape)
    items = Items.concat([draw(domain, s, v, SAMPLE, "probe", rng) for s, v in cells])
    find = _FINDERS[source] if isinstance(source, str) else source
    return SkillView(domain, find(domain, items, n_skills, seed), items)


_FINDERS: dict[str, Finder] = {
    "inferred": Inferred,
    "shuffled": lambda domain, items, n_skills, seed: Shuffled(n_skills),
}
