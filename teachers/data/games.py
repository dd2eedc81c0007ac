"""Teachers of the other games of teaching, by their ids.

``make("pool", "llkd", seed=0)`` builds one; :data:`GAMES` is the table.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from teachenv.errors import one_of, refuse_unknown

__all__ = ["GAMES", "hyper_parameters", "make"]

GAMES: dict[str, dict[str, str]] = {
    "pool": {
        "random": "teachers.data.selectors:RandomSelector",
        "random-distillation": "teachers.data.selectors:RandomDistillation",
        "confidence": "teachers.data.selectors:Confident",
        "uncertainty": "teachers.data.selectors:Uncertain",
        "margin": "teachers.data.selectors:Margin",
        "llkd": "teachers.data.selectors:Llkd",
        "rad": "teachers.data.selectors:Rad",
        "pcoreset": "teachers.data.selectors:ProbabilityCoreSet",
        "curriculum-labelling": "teachers.data.selectors:CurriculumLabelling",
    },
    "intervention": {
        "utility": "teachers.data.utility:Utility",
        "least-confident": "teachers.data.utility:LeastConfident",
        "random": "teachers.data.utility:RandomHelp",
        "adversarial": "teachers.data.adversarial:AdversarialHelp",
    },
    "functional": {
        "greedy": "teachers.data.functional:GreedyTeaching",
        "random": "teachers.data.functional:RandomTeaching",
    },
}
"""Game -> teacher id -> "module:Class". "pool": which items a weak teacher shall label
(:class:`teachenv.envs.datagen.pool.Pool`). "intervention": which questions to help with
(``teachenv/InterventionBudget-v0``). "functional": which examples to show
(``teachenv/FunctionalTeaching-v0`` and ``teachenv/FunctionalTeachingMulti-v0``)."""


def make(game: str, id: str, *, seed: int = 0, **hyper: Any) -> Any:
    """Build a teacher of a game.

    Args:
        game: One of :data:`GAMES`.
        id: One of its teachers.
        seed: Whole number in [0, 2**63]; 0 is a seed like any other.
        hyper: Hyper-parameters, see :func:`hyper_parameters`.

    Returns:
        Of "pool" a :class:`teachers.data.selectors.Selector`, of the others a
        :class:`teachenv.lesson.GameTeacher`.

    Raises:
        UserError: for an unknown game, id or hyper-parameter, naming the known ones.
        ValueError: for a refused value.
    """
    refuse_unknown(f"hyper-parameter of {id}", hyper, hyper_parameters(game, id))
    return _class(game, id)(seed=seed, **hyper)


def hyper_parameters(game: str, id: str) -> dict[str, Any]:
    """Return the hyper-parameters a teacher accepts, with their defaults (seed left out).

    Raises:
        UserError: for an unknown game or id.
    """
    parameters = inspect.signature(_class(game, id)).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "seed"}


def _class(game: str, id: str) -> type:
    table = GAMES[one_of("game", game, GAMES)]
    module, name = table[one_of(f"teacher of the game {game}", id, table)].split(":")
    cls: type = getattr(importlib.import_module(module), name)
    return cls
