"""What a domain of data is: it draws items of a cell and grades answers to them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.items import Format, Items
from teachenv.errors import UserError, unknown

__all__ = ["BARE_DOMAINS", "DOMAINS", "Domain", "Keep", "Varied", "make_domain", "variants_of"]

CellKind = Literal["taught", "noise", "known"]
"""A cell can be learnt; or its answers are random; or every student has mastered it before."""


Keep = Callable[[NDArray[np.uint64]], NDArray[np.bool_]]
"""Says which content keys belong to the part that is drawn from."""


class Domain(Protocol):
    """A source of items whose answers can be checked.

    A domain holds no state: the same calls with the same generators give the same items.

    Attributes:
        id: Its name in the table.
        skills: Names of the skills.
        n_levels: Levels of every skill.
        kinds: What each cell is, "taught", "noise" or "known", shape ``(n_skills, n_levels)``.
        prerequisites: See :class:`teachenv.lesson.Syllabus`; ``None`` if none are known.
        format: What items look like.
        student: Id of the usual student, in ``students.data.STUDENTS``.
        feature_names: Names of the columns of :meth:`features`.
        usual: Settings of an environment that suit it (names and meaning: the fields of
            :class:`teachenv.envs.datagen.settings.Settings`); the rest keep their defaults.
    """

    id: str
    skills: tuple[str, ...]
    n_levels: int
    kinds: NDArray[np.str_]
    prerequisites: NDArray[np.bool_] | None
    format: Format
    student: str
    feature_names: tuple[str, ...]
    usual: Mapping[str, Any]

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw about ``n`` candidates of a cell and return those that may be kept.

        Answers are right (random where the cell is noise). What is costly (rendering) comes after
        the choice; a domain with few items may draw ``n`` among those that may be kept.
        """

    def grade(self, items: Items, answers: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return which answers are right by the domain's own rule.

        The rule is equality with ``truth``, execution, ...; never ``items.answers``.
        """

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return plausible wrong answers, one per item, for engines that err."""

    def wrong_steps(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return answers whose *working* is wrong: a carry, an intermediate value.

        The rest is consistent with it. Where answers show no working, the same as :meth:`wrong`.
        """

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return what is seen of a question without its skill.

        Float32 of shape ``(n, n_features)``, in [0, 1].
        """

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return one item for people: its question and its answer."""

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return one answer (shape ``()`` or ``(answer_width,)``) for people."""


@runtime_checkable
class Varied(Protocol):
    """A domain some of whose skills have variants, such as sums with a carry and without.

    A plan may ask for one by the option "variant" of an item; every variant occurs among the
    questions that are drawn of every level.

    Attributes:
        variants: Names of each skill's variants; none for a skill that has none.
    """

    variants: tuple[tuple[str, ...], ...]

    def variant(self, items: Items) -> NDArray[np.int64]:
        """Return the variant of every item, an index into its skill's; 0 where it has none."""


def variants_of(domain: Domain) -> tuple[tuple[str, ...], ...]:
    """Return the names of each skill's variants."""
    return domain.variants if isinstance(domain, Varied) else ((),) * len(domain.skills)


DOMAINS: dict[str, str] = {
    "digits": "teachenv.envs.datagen.domains.digits:Digits",
    "vqa": "teachenv.envs.datagen.domains.vqa:Vqa",
    "code": "teachenv.envs.datagen.domains.code:Code",
    "math": "teachenv.envs.datagen.domains.math:Math",
    "reasoning": "teachenv.envs.datagen.domains.reasoning:Reasoning",
    "easyvqa": "teachenv.envs.datagen.domains.easyvqa:EasyVqa",
}
"""Domain id -> "module:Class"; a module is imported when its domain is first asked for."""

BARE_DOMAINS: dict[str, str] = {
    "humaneval": "teachenv.envs.datagen.domains.humaneval:HumanEval",
}
"""Domains no environment is registered for: they need settings that have no default."""


def make_domain(id: str, **options: Any) -> Domain:
    """Make a domain.

    Args:
        id: One of :data:`DOMAINS` or :data:`BARE_DOMAINS`.
        options: Its own, see its class.

    Raises:
        UserError: for an unknown id or a refused option.
    """
    known = DOMAINS | BARE_DOMAINS
    if id not in known:
        raise UserError(unknown("domain", str(id), known))
    module, _, name = known[id].partition(":")
    try:
        return cast(Domain, getattr(importlib.import_module(module), name)(**options))
    except TypeError as error:
        raise UserError(f"domain {id}: {error}") from None
