"""Findings: what the checkers of environments, teachers and students report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a checker found wrong.

    Args:
        code: Short stable name of the rule that was broken ("task-ignored").
        severity: "error" for a broken contract, "warning" for something to look at.
        message: What was expected, what came, and what to do.
    """

    code: str
    severity: Literal["error", "warning"]
    message: str

    def __str__(self) -> str:
        return f"{self.severity} {self.code}: {self.message}"
