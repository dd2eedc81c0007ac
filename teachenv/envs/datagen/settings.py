"""The knobs of a data-generation environment."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from teachenv.envs.datagen.classroom import TrainMode
from teachenv.envs.datagen.coverage import cells_mask, check_held_out
from teachenv.envs.datagen.domain import Domain, make_domain
from teachenv.envs.datagen.engine import QUALITY, Engine
from teachenv.envs.datagen.iterates import ITERATES
from teachenv.envs.datagen.profiles import PROFILES
from teachenv.envs.datagen.skills import SOURCES, Finder
from teachenv.errors import UserError, at_least, one_of, refuse_unknown
from teachenv.llm import Chat

__all__ = ["REWARD_MODES", "Settings"]

REWARD_MODES = ("delta", "final", "lp", "target", "calibration")


@dataclass(frozen=True)
class Settings:
    """How hard teaching is, and what it is rewarded for.

    Defaults are overridden by the domain's ``usual`` settings, and these by what is given.

    Attributes:
        domain_args: Options of the domain (``n_noise``, ``n_known``, ...).
        student: Id of the student, in ``students.data.DATA_STUDENTS``; "" for the domain's own.
        student_args: Its hyper-parameters.
        n_steps: Lessons in an episode.
        n_samples: Training samples in a lesson at most.
        budget: Training samples in an episode; 0 for ``n_steps * n_samples``.
        train_mode: "replay", "continual" or "retrain"; see
            :class:`teachenv.envs.datagen.classroom.Classroom`, also for ``epochs``,
            ``probe_size``, ``fresh_probe`` and ``locked_below``.
        epochs: Passes over a lesson's data.
        probe_size: Questions per cell.
        fresh_probe: Ask new questions after every lesson.
        locked_below: Accuracy in a cell's prerequisites below which it cannot be learnt.
        visible_share: Share of the cells that are probed; which ones changes by episode.
        held_out: ``(skill, level)`` indices of the domain's cells that are tested only, to see
            what carries over to combinations never met: no student has learnt them before, no
            plan teaches them, no probe asks about them.
        reward_mode: "delta": what the metric gained; the return is the total gain. "final":
            the same, all of it at the end. "target": what the metric of ``target_cells``
            gained. "lp": mean absolute change of a cell. "calibration": how near the accuracy
            of the cells taught was to ``calibration``, before the lesson.
        reward_scale: Factor of all rewards, positive.
        cost_weight: What using up the whole budget costs, in units of the metric; at least 0.
        target_metric: The episode terminates once the metric is at least this; 0 for never.
        target_cells: ``(skill, level)`` indices of the domain's cells that count.
        calibration: Accuracy to aim at (DARC's "medium" is 0.5).
        iterate: Which student is meant where an episode's is evaluated: "last", or "best" by the
            metric on ``probe_size`` validation questions per cell, which it is asked before the
            first and after every lesson.
        profile: What a new student knows: "fresh", "warm" (the easier levels) or "random" (those
            of a random half of the skills).
        n_profiles: How many different students there are for the profile "random"; 0 for a new
            one in every episode.
        warm_levels: How many levels count as easier; 0 for half of them.
        base_samples: Training samples per known cell.
        base_epochs: Passes over them.
        error_rate: See :class:`teachenv.envs.datagen.engine.Engine`, also for
            ``step_error_rate``, ``quality`` and ``deduplicate``.
        step_error_rate: Share of samples whose working is wrong.
        quality: "none", "agree", "answer" or "new"; "" for "answer" where a language model makes
            the data and "none" where the domain does.
        deduplicate: Throw away repeated questions of a lesson.
        skill_source: "gold": the domain's own skills. "inferred": clusters of probe questions.
            "shuffled": random groups of them. "llm": named by the language model. From Python
            also a :data:`teachenv.envs.datagen.skills.Finder`.
        n_skills: Skills to infer; 0 for as many as the domain has.
        engine: Who makes the data: "own", the domain; "annotate" or "write", the language model,
            see :class:`teachenv.envs.datagen.engine_llm.LlmEngine`.
        llm: The language model: arguments of :class:`teachenv.llm.Chat`.
    """

    domain_args: Mapping[str, Any] = field(default_factory=dict)
    student: str = ""
    student_args: Mapping[str, Any] = field(default_factory=dict)
    n_steps: int = 20
    n_samples: int = 500
    budget: int = 0
    train_mode: TrainMode = "replay"
    epochs: int = 1
    probe_size: int = 50
    fresh_probe: bool = True
    locked_below: float = 0.0
    visible_share: float = 1.0
    held_out: Sequence[Sequence[int]] = ()
    reward_mode: str = "delta"
    reward_scale: float = 20.0
    cost_weight: float = 0.0
    target_metric: float = 0.0
    target_cells: Sequence[Sequence[int]] = ()
    calibration: float = 0.5
    iterate: str = "last"
    profile: str = "warm"
    n_profiles: int = 8
    warm_levels: int = 0
    base_samples: int = 1000
    base_epochs: int = 1
    error_rate: float = 0.0
    step_error_rate: float = 0.0
    quality: str = ""
    deduplicate: bool = False
    skill_source: str | Finder = "gold"
    n_skills: int = 0
    engine: str = "own"
    llm: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, domain_id: str, given: Mapping[str, Any]) -> tuple[Domain, Settings]:
        """Make a domain and the settings of an environment on it.

        Args:
            domain_id: One of :data:`teachenv.envs.datagen.domain.DOMAINS`.
            given: Settings that differ from the usual ones.

        Raises:
            UserError: for an unknown name, or a refused value.
        """
        refuse_unknown("setting of a data-generation environment", given, vars(cls()))
        domain = make_domain(domain_id, **given.get("domain_args", {}))
        settings = cls(**{**domain.usual, **given})
        settings._check(domain)
        return domain, settings

    def make_engine(self, domain: Domain) -> Engine:
        """Return the engine these settings ask for."""
        if self.engine != "own":
            from teachenv.envs.datagen.engine_llm import LlmEngine

            way: Any = self.engine
            return LlmEngine(
                domain,
                self.chat(),
                way=way,
                quality=self.quality or "answer",
                deduplicate=self.deduplicate,
            )
        return Engine(
            domain,
            error_rate=self.error_rate,
            step_error_rate=self.step_error_rate,
            quality=self.quality or "none",
            deduplicate=self.deduplicate,
        )

    def finder(self) -> str | Finder:
        """Return who finds the skills."""
        if self.skill_source != "llm":
            return self.skill_source
        from teachenv.envs.datagen.engine_llm import LlmGrouping

        chat = self.chat()
        return lambda domain, items, n_skills, seed: LlmGrouping(domain, items, n_skills, chat)

    def chat(self) -> Chat:
        """Return the language model.

        Raises:
            UserError: if none is named, or an argument is refused.
        """
        if not self.llm.get("model"):
            raise UserError('llm: name a model, such as {"model": NAME, "base_url": ADDRESS}')
        refuse_unknown("argument of llm", self.llm, {f.name: "" for f in fields(Chat) if f.init})
        return _chat(json.dumps(dict(self.llm), sort_keys=True))

    def _check(self, domain: Domain) -> None:
        at_least_one = ("n_steps", "n_samples", "epochs", "probe_size", "base_epochs")
        for name in at_least_one:
            at_least(1, name, getattr(self, name))
        for name in ("budget", "n_profiles", "warm_levels", "base_samples", "n_skills"):
            at_least(0, name, getattr(self, name))
        one_of("train_mode", self.train_mode, get_args(TrainMode))
        one_of("reward_mode", self.reward_mode, REWARD_MODES)
        one_of("profile", self.profile, PROFILES)
        one_of("iterate", self.iterate, ITERATES)
        if not callable(self.skill_source):
            one_of("skill_source", self.skill_source, (*SOURCES, "llm"))
        one_of("engine", self.engine, ("own", "annotate", "write"))
        one_of("quality", self.quality, ("", *QUALITY))
        if self.engine != "own" and (self.error_rate or self.step_error_rate):
            raise UserError("error_rate, step_error_rate: a language model makes its own errors")
        if self.engine != "own" or self.skill_source == "llm":
            self.chat()
        for name in ("locked_below", "target_metric", "calibration"):
            _share(name, getattr(self, name))
        if not 0.0 < self.reward_scale < math.inf or not 0.0 <= self.cost_weight < math.inf:
            raise UserError(
                "expected a positive reward_scale and a cost_weight of at least 0, got "
                f"{self.reward_scale!r} and {self.cost_weight!r}"
            )
        if not 0.0 < self.visible_share <= 1.0:
            raise UserError(f"visible_share: expected in (0, 1], got {self.visible_share!r}")
        for name in ("target_cells", "held_out"):
            _cells(name, getattr(self, name), domain.kinds.shape)
        if self.reward_mode == "target" and not self.target_cells:
            raise UserError('reward_mode "target": name the target_cells')
        if self.held_out and self.skill_source != "gold":
            raise UserError('held_out: names cells of the domain; leave skill_source "gold"')
        shape = domain.kinds.shape
        held_out, target = (cells_mask(c, shape) for c in (self.held_out, self.target_cells))
        check_held_out(held_out, domain.kinds, target)


@functools.lru_cache(maxsize=8)
def _chat(arguments: str) -> Chat:
    """Return one object per model, so that environments of one process ask nothing twice."""
    return Chat(**json.loads(arguments))


def _share(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name}: expected in [0, 1], got {value!r}")


def _cells(name: str, cells: object, shape: tuple[int, ...]) -> None:
    if not isinstance(cells, list | tuple):
        raise UserError(f"{name}: expected a list of (skill, level), got {cells!r:.80}")
    for cell in cells:
        if not (
            isinstance(cell, list | tuple)
            and len(cell) == 2
            and all(type(n) is int and 0 <= n < end for n, end in zip(cell, shape, strict=True))
        ):
            raise UserError(f"{name}: expected (skill, level) below {shape}, got {cell!r:.80}")
