"""Study folders: what is compared, and the runs.

::

    study.json     the study, complete; where runs are mirrored
    ended.json     cells that were given up or stopped, and why
    runs/          the run folders: environment/teacher/student/seed-n
    lock           held while a process conducts the study
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from teachenv.errors import UserError
from teachenv.experiments.files import StoreError, read_json, refuse_links, take_lock, write_json
from teachenv.experiments.study import Study
from teachenv.experiments.study_file import read_study

FORMAT = 1
_STUDY = "study.json"
_ENDED = "ended.json"


@dataclass(frozen=True)
class StudyFolder:
    """A study folder, read.

    Attributes:
        path: Where it is.
        study: The study.
        storage: Where its runs are mirrored, if they are.
    """

    path: Path
    study: Study
    storage: str | None

    @property
    def runs(self) -> Path:
        """Where the run folders are."""
        return self.path / "runs"

    @classmethod
    def create(cls, path: Path, study: Study, storage: str | None) -> StudyFolder:
        """Make a new study folder.

        Raises:
            StoreError: if the folder exists; nothing is overwritten.
        """
        if os.path.lexists(path):
            hint = f", or continue it with: teachenv resume {path}" if is_study(path) else ""
            raise StoreError(f"{path} exists; nothing is overwritten. Choose another --out{hint}")
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise StoreError(f"{path}: cannot be made: {error.strerror}") from None
        row = {"format": FORMAT, "study": study.to_json(), "storage": storage}
        write_json(path / _STUDY, row)
        return cls(path, study, storage)

    @classmethod
    def read(cls, path: Path) -> StudyFolder:
        """Read a study folder.

        Raises:
            UserError: if it is not one, or is damaged.
        """
        if not is_study(path):
            raise StoreError(f"{path}: not a study folder (no {_STUDY})")
        refuse_links(path)
        row = read_json(path / _STUDY)
        if not isinstance(row, dict) or row.get("format") != FORMAT:
            raise StoreError(f"{path}: this version reads studies of format {FORMAT}")
        try:
            study, storage = read_study(row["study"], check_env=False), row["storage"]
        except (KeyError, UserError) as error:
            raise StoreError(f"{path}: {_STUDY}: {error}") from None
        if not isinstance(storage, str | None):
            raise StoreError(f"{path}: {_STUDY}: storage: expected text or null, got {storage!r}")
        return cls(path, study, storage)

    def lock(self) -> IO[str]:
        """Take the study's lock.

        Raises:
            StoreError: if another process conducts the study.
        """
        return take_lock(self.path)

    def ended(self) -> dict[str, dict[str, Any]]:
        """Return the cells that were given up or stopped: name -> {"status", "reason"}.

        Raises:
            StoreError: if the file is damaged.
        """
        path = self.path / _ENDED
        ended = read_json(path) if path.exists() else {}
        if not isinstance(ended, dict) or not all(
            isinstance(row, dict) and set(row) == {"status", "reason"} for row in ended.values()
        ):
            raise StoreError(f"{path}: expected {{cell: {{status, reason}}}}; the file is damaged")
        return ended

    def write_ended(self, ended: dict[str, dict[str, Any]]) -> None:
        """Record :meth:`ended`."""
        write_json(self.path / _ENDED, ended)


def is_study(folder: Path) -> bool:
    """Whether a folder looks like a study folder."""
    return (folder / _STUDY).is_file()
