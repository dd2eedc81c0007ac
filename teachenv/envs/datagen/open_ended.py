"""Teaching without skills: the agent sees answered questions and orders data by template."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.envs.datagen.actions import decoder
from teachenv.envs.datagen.base_env import DataGenEnv, Observation
from teachenv.envs.datagen.observations import MAX_LOSS
from teachenv.envs.datagen.readings import ReadingMaker
from teachenv.errors import at_least, one_of
from teachenv.seeding import derive

__all__ = ["OUTCOMES", "OpenEnded"]

OUTCOMES = ("right", "confidence", "loss", "difference")
"""Columns behind the features of a question: how it was answered."""


class OpenEnded(DataGenEnv[NDArray[Any]]):
    """DataEnvGym's Open-Ended environment (Khan et al., ICLR 2025) with spaces and a reward.

    The agent is shown some of the probe's questions with what came of them, and never a skill:
    its reading has no visible cells.

    Observation (float32 in [0, 1]): ``errors`` (E, F), per question what the domain sees of it
    (``domain.feature_names``), whether the answer was right, its confidence, its loss (/ 10
    nats) and the share of the answer's places that differ; ``mask`` (E,), 1 where there is a
    question; ``accuracy`` of the whole probe, ``budget_left`` and ``step``, each (1,).

    Action: MultiDiscrete, per slot a template (a generator of the domain), its parameters (a
    level) and how much (0 to ``n_amounts - 1`` equal parts of a slot's share of the lesson).
    Repeated questions in a lesson are thrown away unless ``deduplicate=False``.

    Args:
        domain: See :class:`teachenv.envs.datagen.base_env.DataGenEnv`, also for ``settings``;
            skills are not told, so ``skill_source`` has to stay "gold".
        n_shown: Questions shown, E.
        n_slots: Orders in an action.
        n_amounts: Amounts of an order, none among them.
        settings: The rest.

    Raises:
        UserError: for a refused setting, or another source of skills.
    """

    action_mode = "orders"
    provides = DataGenEnv.provides - {"cells"}

    def __init__(
        self,
        domain: str = "digits",
        *,
        n_shown: int = 32,
        n_slots: int = 8,
        n_amounts: int = 4,
        **settings: Any,
    ) -> None:
        super().__init__(domain, **{"deduplicate": True, **settings})
        one_of("skill_source where no skills are told", str(self.settings.skill_source), ("gold",))
        self._readings = ReadingMaker(self.domain, self._view, hidden=True)
        self._n_shown = at_least(1, "n_shown", n_shown)
        self.decoder = decoder(
            self.action_mode, self.syllabus, n_slots=n_slots, n_amounts=n_amounts
        )
        self.action_space = self.decoder.space
        self._n_columns = len(self.domain.feature_names) + len(OUTCOMES)
        shapes = {"errors": (n_shown, self._n_columns), "mask": (n_shown,)}
        shapes |= dict.fromkeys(("accuracy", "budget_left", "step"), (1,))
        self.observation_space = spaces.Dict(
            {name: spaces.Box(0.0, 1.0, shape, np.float32) for name, shape in shapes.items()}
        )

    def _observation(self) -> Observation:
        scores = self.classroom.last
        rng = derive(self._seed, "shown", self.reading.step)
        shown = rng.permutation(len(scores.items))[: self._n_shown]
        items, prediction = scores.items.take(shown), scores.prediction
        wrong = prediction.answers[shown] != items.truth
        columns = [
            scores.right[shown],
            prediction.confidence[shown],
            np.minimum(prediction.loss[shown], MAX_LOSS) / MAX_LOSS,
            wrong.reshape(len(items), -1).mean(axis=1),
        ]
        errors, mask = np.zeros((self._n_shown, self._n_columns)), np.zeros(self._n_shown)
        errors[: len(items)] = np.hstack([self.domain.features(items), np.stack(columns, axis=1)])
        mask[: len(items)] = 1.0
        observation = {
            "errors": errors,
            "mask": mask,
            "accuracy": np.array([scores.right.mean()]),
            "budget_left": np.array([self.reading.budget_left]),
            "step": np.array([self.reading.step / self.syllabus.n_steps]),
        }
        return {name: value.astype(np.float32) for name, value in observation.items()}
