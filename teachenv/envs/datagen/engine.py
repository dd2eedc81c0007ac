"""Making the training data a plan asks for: of the training part only, with errors as told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain, variants_of
from teachenv.envs.datagen.items import Items, agreeing
from teachenv.envs.datagen.split import draw
from teachenv.errors import UserError, one_of
from teachenv.lesson import DataPlan

__all__ = ["QUALITY", "Engine", "Knows", "Made"]

QUALITY = ("none", "agree", "answer", "new")

Knows = Callable[[Items], NDArray[np.bool_]]
"""Tells which questions a student answers right already, ``(n,)``."""


@dataclass(frozen=True)
class Made:
    """What an engine made of a plan.

    Attributes:
        items: The training data; ``None`` if nothing is left.
        made: Samples per cell in ``items``, int64.
        rejected: Samples per cell that were thrown away, int64; their budget is spent.
    """

    items: Items | None
    made: NDArray[np.int64]
    rejected: NDArray[np.int64]

    @property
    def accepted(self) -> float:
        """Share of the samples asked for that may be taught; 1 if there were none."""
        n_made, n_rejected = int(self.made.sum()), int(self.rejected.sum())
        return n_made / (n_made + n_rejected) if n_made + n_rejected else 1.0


class Engine:
    """Turns plans into training data.

    Args:
        domain: What it makes data of.
        error_rate: Share of samples with a wrong answer, in [0, 1]: a stand-in for a weak
            generator.
        step_error_rate: Share of samples whose working is wrong, in [0, 1]. Answers show it, so
            that checks of answers find it.
        quality: "none" trains on everything. "agree" answers every question a second time and
            keeps it where both answers are the same (STAT's check, which needs no truth).
            "answer" keeps what the domain's own grader finds right. "new" keeps of these what
            the student does not answer right yet (DataEnvGym's two checks, which there only
            count).
        deduplicate: Throw away questions that came before in the same lesson.

    Attributes:
        errs: Whether wrong answers may be taught.

    Raises:
        UserError: for a rate outside [0, 1] or an unknown check.
    """

    def __init__(
        self,
        domain: Domain,
        *,
        error_rate: float = 0.0,
        step_error_rate: float = 0.0,
        quality: str = "none",
        deduplicate: bool = False,
    ) -> None:
        for name, rate in (("error_rate", error_rate), ("step_error_rate", step_error_rate)):
            if not 0.0 <= rate <= 1.0:
                raise UserError(f"{name}: expected a share in [0, 1], got {rate!r}")
        self.domain = domain
        self.error_rate = error_rate
        self.step_error_rate = step_error_rate
        self.quality = one_of("quality", quality, QUALITY)
        self.deduplicate = deduplicate
        self.errs = error_rate + step_error_rate > 0.0 and quality in ("none", "agree")

    def make(
        self,
        plan: DataPlan,
        rng: np.random.Generator,
        locked: NDArray[np.bool_] | None = None,
        knows: Knows | None = None,
    ) -> Made:
        """Make the data of a plan.

        Args:
            plan: What is asked for; the option "variant" of an item names one of its skill.
            rng: Randomness of the data.
            locked: Cells whose prerequisites are missing: the student cannot make sense of
                them, so questions get each other's answers, or wrong ones where a cell's are
                all the same. ``None`` for none.
            knows: What the student answers right, for the quality "new"; ``None`` for nothing.
        """
        counts, wanted = plan.counts(self.domain.kinds.shape), Counter[tuple[int, int, str]]()
        for item in plan.items:
            wanted[item.skill, item.level, item.options.get("variant", "")] += item.count
        parts = []
        for (skill, level, variant), n in sorted(wanted.items()):
            items = self._cell(skill, level, n, rng, self._variant(skill, variant)) if n else None
            if items is None:
                continue
            if locked is not None and locked[skill, level]:
                items = self._senseless(items, rng)
            parts.append(items)
        if not parts:
            return Made(None, np.zeros_like(counts), counts)
        asked = Items.concat(parts)
        items = asked.answered(self.answers(asked, rng))
        kept = np.ones(len(items), dtype=np.bool_)
        if self.quality == "agree":
            kept = agreeing(items.answers, self._again(asked, rng))
        elif self.quality != "none":
            kept = self.domain.grade(items, items.answers)
        if self.quality == "new" and knows is not None:
            kept = kept & ~knows(items)
        if self.deduplicate:
            first = np.zeros(len(items), dtype=np.bool_)
            first[np.unique(items.keys, return_index=True)[1]] = True
            kept = kept & first
        made = np.zeros_like(counts)
        np.add.at(made, (items.skill[kept], items.level[kept]), 1)
        left = items.take(kept) if kept.any() else None
        return Made(left, made, counts - made)

    def answers(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return what the engine answers: ``items.answers``, with its errors."""
        answers = items.answers
        for rate, wrong in (
            (self.error_rate, self.domain.wrong),
            (self.step_error_rate, self.domain.wrong_steps),
        ):
            if rate > 0.0:
                hit = rng.random(len(items)) < rate
                shape = (-1, *(1,) * (answers.ndim - 1))
                answers = np.where(hit.reshape(shape), wrong(items, rng), answers)
        return answers

    def _again(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return what it answers when asked a second time."""
        return self.answers(items, rng)

    def _variant(self, skill: int, name: str) -> int | None:
        """Return the index of a skill's variant; ``None`` for any."""
        return variants_of(self.domain)[skill].index(name) if name else None

    def _cell(
        self, skill: int, level: int, n: int, rng: np.random.Generator, variant: int | None
    ) -> Items | None:
        """Make the items of a cell, ``n`` at most; ``None`` for none."""
        return draw(self.domain, skill, level, n, "train", rng, variant)

    def _senseless(self, items: Items, rng: np.random.Generator) -> Items:
        """Return items of a cell with each other's answers; wrong ones if all are the same."""
        answers = items.answers
        if (answers == answers[0]).all():
            return items.answered(self.domain.wrong(items, rng))
        return items.answered(np.roll(answers, rng.integers(1, len(items)), axis=0))
