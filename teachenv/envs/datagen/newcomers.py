"""The student of an episode: which one it is, and how it comes to be."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from teachenv.envs.datagen.bases import Base, Bases
from teachenv.envs.datagen.coverage import cells_mask
from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.profiles import known_cells
from teachenv.envs.datagen.settings import Settings
from teachenv.errors import at_least
from teachenv.seeding import derive, derive_int

if TYPE_CHECKING:
    from students.data.base import DataStudent

__all__ = ["Newcomers"]


class Newcomers:
    """Gives students, untrained and of a profile.

    Args:
        domain: What they learn.
        settings: Which student, and its profile.
    """

    def __init__(self, domain: Domain, settings: Settings) -> None:
        self._domain, self._settings = domain, settings

    def untrained(self, seed: int) -> DataStudent:
        """Return a new student."""
        students = importlib.import_module("students.data")
        name, args = self._student_id, self._settings.student_args
        return cast("DataStudent", students.make(name, self._domain.format, seed=seed, **args))

    def base(self, episode_seed: int, profile: str | Sequence[str], number: int | None) -> Base:
        """Return the student an episode begins with.

        Args:
            episode_seed: Chooses it where the profile has many.
            profile: See :func:`teachenv.envs.datagen.profiles.known_cells`.
            number: Which of the profile's students; ``None`` for the episode's own. Of "warm" and
                of a list of skills there is one, of "random" ``n_profiles``, of "fresh" one for
                every seed.
        """
        s, many = self._settings, number is None and profile in ("fresh", "random")
        store = not many or (profile == "random" and s.n_profiles > 0)
        if number is not None:
            seed = at_least(0, "reset option student", number)
        elif not many:
            seed = 0
        else:
            seed = derive_int(episode_seed, "student")
            seed = seed % s.n_profiles if store else seed
        known = known_cells(self._domain, profile, s.warm_levels, derive(seed, "profile"))
        known &= ~cells_mask(s.held_out, known.shape)
        return self._bases.get(known, self.untrained, seed, store)

    @property
    def _student_id(self) -> str:
        return self._settings.student or self._domain.student

    @functools.cached_property
    def _bases(self) -> Bases:
        s = self._settings
        options = {
            "domain": self._domain.id,
            "domain_args": dict(s.domain_args),
            "student": self._student_id,
            "student_args": dict(s.student_args),
        }
        return Bases(
            self._domain,
            type(self.untrained(0)),
            samples=s.base_samples,
            epochs=s.base_epochs,
            options=options,
        )
