"""Who says which subskill a skill tree grows next: an order, the student's errors, a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from teachenv.envs.datagen.trees import Seen, Subskill, subskills
from teachenv.lesson import Syllabus
from teachenv.llm import Chat, NoJsonError, read_json

__all__ = ["PROPOSERS", "ByErrors", "InOrder", "LlmProposer", "Proposer", "Variants"]

PROPOSERS = ("list", "errors", "llm")

Variants = Sequence[tuple[str, ...]]
"""Names of the variants of every skill."""

_SYSTEM = """\
You grow a tree of subskills for one skill of a student, to train it where that helps most. A \
subskill is a band of adjacent levels of the skill, in one variant or in all of them. Reply with a \
JSON object:
{"subskills": [{"variant": name or null for all, "first": level, "last": level}, ...]}"""


class Proposer(Protocol):
    """Proposes subskills."""

    def __call__(self, skill: int, n: int, there: Sequence[Subskill], seen: Seen) -> list[Subskill]:
        """Return new subskills, the best first; fewer than asked for if there are no more.

        Args:
            skill: Index of the skill.
            n: How many, at least 1.
            there: Those its tree has; none of them is proposed.
            seen: The probe's answers.
        """


class InOrder:
    """Single levels first, from the easiest, then those of each variant, then wider bands.

    Args:
        n_levels: Levels of every skill.
        variants: Of every skill.
    """

    def __init__(self, n_levels: int, variants: Variants) -> None:
        self._known = [subskills(n_levels, len(names)) for names in variants]

    def __call__(self, skill: int, n: int, there: Sequence[Subskill], seen: Seen) -> list[Subskill]:
        """Return the next subskills."""
        return [each for each in self._known[skill] if each not in there][:n]


class ByErrors(InOrder):
    """The subskills with most errors on the probe; equal ones in order."""

    def __call__(self, skill: int, n: int, there: Sequence[Subskill], seen: Seen) -> list[Subskill]:
        """Return the subskills that are known worst."""
        free = super().__call__(skill, len(self._known[skill]), there, seen)
        return sorted(free, key=lambda each: seen.accuracy(skill, each))[:n]


class LlmProposer:
    """A language model proposes (DataEnvGym's subskill proposer, Khan et al., 2024).

    It is told the skill, its levels and variants, the accuracy on each, and the subskills there
    are. What it proposes is checked one by one: levels and variants that do not exist, and
    subskills that are there already, are left out. Deviation: subskills are chosen among those
    the domain can make and grade, not written freely.

    Args:
        syllabus: What there is to teach.
        variants: Of every skill.
        chat: The model.

    Attributes:
        n_asked: Subskills asked for.
        n_accepted: Subskills that were any.
    """

    def __init__(self, syllabus: Syllabus, variants: Variants, chat: Chat) -> None:
        self._syllabus, self._variants, self.chat = syllabus, variants, chat
        self.n_asked, self.n_accepted = 0, 0

    def __call__(self, skill: int, n: int, there: Sequence[Subskill], seen: Seen) -> list[Subskill]:
        """Ask the model."""
        messages = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": self._prompt(skill, n, there, seen)},
        ]
        try:
            rows = list(read_json(self.chat.ask(messages, as_json=True))["subskills"])
        except (NoJsonError, KeyError, TypeError):
            rows = []
        known = subskills(self._syllabus.n_levels, len(self._variants[skill]))
        named = dict.fromkeys(self._read(skill, row) for row in rows)
        new = [each for each in known if each in named and each not in there]
        new.sort(key=list(named).index)
        self.n_asked += n
        self.n_accepted += len(new[:n])
        return new[:n]

    def _prompt(self, skill: int, n: int, there: Sequence[Subskill], seen: Seen) -> str:
        names, n_levels = self._variants[skill], self._syllabus.n_levels
        lines = [
            f"Skill: {self._syllabus.skills[skill]}. Levels: 0 (easiest) to {n_levels - 1}. "
            f"Variants: {', '.join(names) or 'none'}.",
            "variant | level | accuracy",
        ]
        for variant, name in enumerate(("all", *names)):
            for level in range(n_levels):
                asked, right = (part[skill, level, variant] for part in seen)
                told = f"{right / asked:.2f}" if asked else "unknown"
                lines.append(f"{name} | {level} | {told}")
        shown = [f"{('all', *names)[v]}, levels {first} to {last}" for v, first, last in there]
        lines += [f"Subskills there are: {'; '.join(shown) or 'none'}.", f"Propose {n} new."]
        return "\n".join(lines)

    def _read(self, skill: int, row: Any) -> Subskill | None:
        """Return the subskill a row names; ``None`` if its form or its variant is wrong."""
        if not isinstance(row, dict) or not all(type(row.get(k)) is int for k in ("first", "last")):
            return None
        names = (None, *self._variants[skill])
        variant = row.get("variant")
        if variant in ("all", "none", ""):  # so it is told, and so models answer
            variant = None
        if variant not in names:
            return None
        return Subskill(names.index(variant), row["first"], row["last"])
