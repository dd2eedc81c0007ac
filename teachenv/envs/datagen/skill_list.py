"""Teaching by skills: the agent sees how the student does on each cell and shares out samples."""

from __future__ import annotations

from typing import Any

from teachenv.envs.datagen.actions import ACTION_MODES, decoder
from teachenv.envs.datagen.base_env import DataGenEnv, Observation
from teachenv.envs.datagen.observations import observation_space, observe
from teachenv.errors import one_of

__all__ = ["SkillList"]


class SkillList(DataGenEnv[Any]):
    """DataEnvGym's Skill-List (Khan et al., ICLR 2025) with spaces, a reward and seeds.

    Observation (float32), S skills by L levels: ``accuracy``, ``confidence``, ``data_share``,
    ``last_alloc`` and ``visible`` in [0, 1], ``delta`` in [-1, 1], ``loss`` in [0, 10] nats, each
    of shape ``(S, L)``; ``budget_left`` and ``step``, shares of the episode, shape ``(1,)``.

    Action, by ``action_mode``:

    - "alloc": Box(-1, 1, (C,)): a softmax over the C cells shares out the lesson.
    - "cell": Discrete(C): one cell gets the lesson.
    - "point": Box(-1, 1, (2,)): one cell, by the coordinates of its skill and level.
    - "counts": MultiDiscrete([5] * C): so many even shares each.
    - "mix": Box(-1, 1, (4,)), or 5 where prerequisites are known: weights of weakness, progress,
      p(1 - p), scarcity and readiness; the same for any number of cells.

    Args:
        domain: See :class:`teachenv.envs.datagen.base_env.DataGenEnv`, also for ``settings``.
        action_mode: One of the above.
        settings: The rest.
    """

    def __init__(
        self, domain: str = "digits", *, action_mode: str = "alloc", **settings: Any
    ) -> None:
        super().__init__(domain, **settings)
        self.action_mode = one_of("action_mode", action_mode, ACTION_MODES)
        self.decoder = decoder(action_mode, self.syllabus)
        self.action_space = self.decoder.space
        self.observation_space = observation_space(self.syllabus)

    def _observation(self) -> Observation:
        return observe(self.reading, self.syllabus)
