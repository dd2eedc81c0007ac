"""Studies: teachers x environments x students x seeds. Every combination is a *cell*, one run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from teachenv.errors import UserError
from teachenv.experiments.config import ConfigError, RunConfig

_OWN = ("env", "teacher", "student", "seed", "env_args", "teacher_args", "student_args")
SETTINGS = tuple(f.name for f in dataclasses.fields(RunConfig) if f.name not in _OWN)
"""Fields of :class:`RunConfig` that a study sets for all its runs, or an environment's."""


class StudyError(UserError):
    """A study was refused; the message lists every problem, one a line."""


@dataclass(frozen=True)
class Part:
    """A teacher, an environment or a student of a study.

    Attributes:
        id: Its id in the tables.
        name: What it is called in folders and tables; unique among its kind.
        args: Its hyper-parameters or arguments.
        settings: Fields of :class:`RunConfig` for its runs (environments only).
        teacher_args: Teacher's name -> arguments it has there (environments only).
    """

    id: str
    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    teacher_args: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is written in a study."""
        row = {"id": self.id, "name": self.name, "args": dict(self.args), **self.settings}
        return {**row, **({"teacher_args": self.teacher_args} if self.teacher_args else {})}


@dataclass(frozen=True)
class Search:
    """A search over the settings of the study's one teacher.

    Samples are drawn at random, and those that lag behind are stopped early (ASHA; Li et al.,
    MLSys 2020).

    Attributes:
        space: Setting -> list of values, or {"low", "high", "log"}: whole numbers if both are.
        samples: How many to draw.
        score: What to maximise, of the evaluations on the first test set; averaged over
            environments, students and seeds.
        grace: Evaluations that every sample gets.
        reduction: Of the samples that come to a rung, one in so many goes on.
        drawn: The settings of every sample; empty until the study is made.
    """

    space: Mapping[str, Any]
    samples: int = 16
    score: str = "share_mastered"
    grace: int = 1
    reduction: int = 3
    drawn: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        name: Its folder below ``runs``: environment/teacher/student/seed-n.
        kind: The environment's and the student's name; cells of a kind take about as long.
        config: What is run.
    """

    name: str
    kind: str
    config: RunConfig


@dataclass(frozen=True)
class Study:
    """A study; :func:`teachenv.experiments.study_file.read_study` reads and checks one."""

    teachers: tuple[Part, ...]
    environments: tuple[Part, ...]
    students: tuple[Part, ...]
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]
    search: Search | None = None

    def cells(self, *, check_env: bool = False) -> list[Cell]:
        """Return every cell; seeds vary slowest, so that early results cover all teachers.

        Args:
            check_env: Whether the environments must be registered here.

        Raises:
            StudyError: listing everything that is wrong with their configurations.
        """
        found, problems = [], []
        for seed in self.seeds:
            for environment in self.environments:
                for student in self.students:
                    for teacher in self._taught():
                        try:
                            found.append(self._cell(environment, teacher, student, seed, check_env))
                        except ConfigError as error:
                            problems += str(error).splitlines()
        refuse(problems)
        return found

    def samples(self) -> list[list[Cell]]:
        """Return the cells of every sample of the search."""
        cells = self.cells()
        names = {part.name for part in self._taught()}
        by_name = {name: [c for c in cells if c.name.split("/")[1] == name] for name in names}
        return [by_name[name] for name in sorted(by_name)]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values that ``read_study`` reads back."""
        row: dict[str, Any] = {
            kind: [part.to_json() for part in getattr(self, kind)]
            for kind in ("teachers", "environments", "students")
        }
        row |= {"seeds": list(self.seeds), "baselines": False, **self.settings}
        if self.search is not None:
            row["search"] = dataclasses.asdict(self.search)
        return json.loads(json.dumps(row))  # type: ignore[no-any-return]

    def _taught(self) -> Sequence[Part]:
        """Return the teachers, or the samples of the one that is searched."""
        if self.search is None:
            return self.teachers
        (teacher,) = self.teachers
        width = len(str(max(len(self.search.drawn) - 1, 0)))
        return [
            Part(teacher.id, f"{teacher.name}-{number:0{width}}", {**teacher.args, **drawn})
            for number, drawn in enumerate(self.search.drawn)
        ]

    def _cell(
        self, environment: Part, teacher: Part, student: Part, seed: int, check_env: bool
    ) -> Cell:
        settings = {**self.settings, **environment.settings}
        there = environment.teacher_args.get(teacher.name, {})
        config = RunConfig(
            env=environment.id,
            teacher=teacher.id,
            student=student.id,
            seed=seed,
            env_args=dict(environment.args),
            teacher_args={**teacher.args, **there},
            student_args=dict(student.args),
            **settings,
            check_env=check_env,
        )
        kind = f"{environment.name}/{student.name}"
        name = f"{environment.name}/{teacher.name}/{student.name}/seed-{seed}"
        return Cell(name, kind, config)


def refuse(problems: Iterable[str]) -> None:
    """Raise a :class:`StudyError` if there are problems."""
    listed = list(dict.fromkeys(problems))
    if listed:
        raise StudyError("\n".join(listed))
