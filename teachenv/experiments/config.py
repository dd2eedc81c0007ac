"""The configuration of a run: one dataclass, checked as a whole."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any

import gymnasium as gym

from teachenv.broker import ON_ENV_ERROR
from teachenv.env import MakeEnv, task_contract
from teachenv.envs import GAMES
from teachenv.errors import UserError, unknown
from teachenv.experiments import testsets
from teachenv.seeding import check_seed


class ConfigError(UserError):
    """A configuration was refused; the message lists every problem, one a line."""


IF_BROKEN = ("on_env_error", "env_timeout_s")
"""Fields that say what follows when an environment breaks, free to change in a resumed run."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run.

    Raises:
        ConfigError: naming every bad field with what it accepts, all at once.
    """

    env: str
    """Gymnasium id of an environment with tasks."""
    teacher: str
    """Id of the teacher."""
    student: str = "auto"
    """Id of the student; "auto": the usual one for the environment."""
    steps: int = 1_000_000
    """Environment steps to train for (rounded up to whole rollouts); with data generation,
    training samples (rounded up to whole episodes)."""
    seed: int = 0
    """Whole number in [0, 2**63]; everything random derives from it."""
    env_args: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``gymnasium.make``."""
    teacher_args: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters of the teacher that differ from its defaults; "preset" names published
    ones to start from."""
    student_args: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters of the student that differ from its defaults."""
    round_steps: int = 0
    """Steps of a round, which ends with a checkpoint; 0: the usual. Episodes start afresh with a
    round, except in native environments, where they go on."""
    new_student_every: int = 0
    """Steps after which, at the next round's start, a new student takes the place of the one there
    is, while the teacher goes on; 0: never."""
    eval_every: int = 1
    """Rounds between evaluations; the last round is always evaluated. 0: never."""
    test_sets: tuple[str, ...] = ()
    """Test sets to evaluate on; the environment's usual ones if empty. The first is used every
    ``eval_every`` rounds, all of them at the end."""
    max_failed: int = 10
    """Trials in a row whose environment broke after which the run stops."""
    on_env_error: str = "fail"
    """What follows when an environment raises: "fail" ends the run; "skip" ends the trial as
    failed; "retry" plays the trial once more before that ends the run. The last two go on in an
    environment made anew, and are refused where there is none: native environments, one for all
    lanes, and data generation."""
    env_timeout_s: float = 120.0
    """Seconds after which a call of an environment is taken to hang, which counts as raising;
    0: never. RLlib's runners are given up after their ``sample_timeout_s``, usually 180, or a
    minute more than this. Native environments and data generation are not watched."""

    check_env: InitVar[bool] = True
    """Whether the environment must be registered here; reading a foreign run needs it not."""

    def __post_init__(self, check_env: bool) -> None:
        problems = [*self._type_problems(), *self._id_problems(check_env)]
        if problems:
            raise ConfigError("\n".join(problems))
        object.__setattr__(self, "test_sets", tuple(self.test_sets))

    def _type_problems(self) -> list[str]:
        problems = []
        try:
            check_seed(self.seed)
        except ValueError as error:
            problems.append(str(error))
        lowest = {"steps": 1, "max_failed": 1}
        lowest |= dict.fromkeys(("round_steps", "new_student_every", "eval_every"), 0)
        for name, low in lowest.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                problems.append(f"{name}: expected a whole number of at least {low}, got {value!r}")
        if self.on_env_error not in ON_ENV_ERROR:
            problems.append(
                f"on_env_error: expected one of {', '.join(ON_ENV_ERROR)}, "
                f"got {self.on_env_error!r}"
            )
        limit = self.env_timeout_s
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if not (number and 0 <= limit < math.inf):
            problems.append(f"env_timeout_s: expected seconds, 0 for no limit, got {limit!r}")
        for name in ("env_args", "teacher_args", "student_args"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                problems.append(f"{name}: expected {{name: value}}, got {value!r}")
                continue
            try:
                json.dumps(dict(value), allow_nan=False)
            except (TypeError, ValueError):
                problems.append(f"{name}: expected JSON values, got {value!r}")
        if not isinstance(self.test_sets, tuple | list):
            problems.append(f"test_sets: expected a list of names, got {self.test_sets!r}")
        return problems

    def _id_problems(self, check_env: bool) -> list[str]:
        import students.data
        import teachenv  # noqa: F401  (registers the environments)
        import teachers.data
        from teachers.data.games import GAMES as TEACHERS_OF_GAMES

        if check_env and isinstance(self.env, str) and self.env in GAMES:
            return [
                f"env: {self.env} is a game whose agent is itself the teacher, so a run has nobody "
                "to give tasks to. Play it from Python, with teachenv.envs.datagen.play and the "
                f"teachers {', '.join(TEACHERS_OF_GAMES[GAMES[self.env]])} of teachers.data.games "
                '(docs/data-generation.md, "Other games of teaching"), or train an agent on it '
                "as on any Gymnasium environment"
            ]
        problems = []
        tables = {
            "teacher": dict.fromkeys((*teachers.TEACHERS, *teachers.data.DATA_TEACHERS)),
            "student": ("auto", *students.STUDENTS, *students.data.DATA_STUDENTS),
        }
        for kind, table in tables.items():
            name = getattr(self, kind)
            if not isinstance(name, str) or name not in table:
                problems.append(f"{kind}: {unknown(kind, str(name), table)}")
        if not isinstance(self.env, str):
            problems.append(f"env: expected a Gymnasium id, got {self.env!r}")
        elif check_env and ":" not in self.env and self.env not in gym.registry:
            known = [name for name in gym.registry if name.startswith("teachenv/")]
            problems.append(f"env: {unknown('environment', self.env, known)}")
        for name in self.test_sets if isinstance(self.test_sets, tuple | list) else ():
            if not isinstance(name, str) or name not in testsets.TEST_SETS:
                problems.append(f"test_sets: {unknown('test set', str(name), testsets.TEST_SETS)}")
        return problems

    @property
    def make_env(self) -> MakeEnv:
        """The recipe of the environment."""
        return MakeEnv(self.env, dict(self.env_args), float(self.env_timeout_s))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**dataclasses.asdict(self), "test_sets": list(self.test_sets)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> RunConfig:
        """Read :meth:`to_json` back; the environment need not be registered here.

        Raises:
            ConfigError: for unknown or missing fields, or bad values.
        """
        if not isinstance(row, Mapping):
            raise ConfigError(f"a configuration: expected {{field: value}}, got {row!r:.80}")
        known = [f.name for f in dataclasses.fields(cls)]
        problems = [unknown("field", name, known) for name in row if name not in known]
        problems += [f"{name}: missing" for name in ("env", "teacher") if name not in row]
        if problems:
            raise ConfigError("\n".join(problems))
        return cls(**row, check_env=False)


def describe_env(config: RunConfig) -> dict[str, Any]:
    """Return the environment's contract as JSON values, for ``config.json``.

    Raises:
        ConfigError: if the environment cannot be made or declares no tasks.
    """
    try:
        env = config.make_env()
    except Exception as error:  # noqa: BLE001  an environment may raise anything
        raise ConfigError(
            f"env: cannot make {config.env} with {config.env_args}: {type(error).__name__}: {error}"
        ) from None
    try:
        space, return_range, mastery = task_contract(env)
    except TypeError as error:
        raise ConfigError(f"env: {error}") from None
    finally:
        env.close()
    return {
        "task_space": json.loads(space.to_json()),
        "return_range": list(return_range),
        "mastery": mastery,
    }
