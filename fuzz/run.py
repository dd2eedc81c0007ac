"""Fuzz with atheris (``pip install atheris``): inputs that reach new code are kept and changed.

    python fuzz/run.py tasks -max_total_time=600
    python fuzz/run.py folders -max_total_time=600 [CORPUS]

Findings are written as ``crash-*`` files; put them into KNOWN of tests/test_fuzz.py once mended.
Half of the changes are of bytes, by libFuzzer; half replace parts of the document.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.meta_path = [
    finder for finder in sys.meta_path if isinstance(finder, type)
]  # no editable ones:
# atheris cannot instrument what they load
os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris  # noqa: E402  (the path is set above)

WATCHED = [
    *("teachenv.dim", "teachenv.space", "teachenv.errors", "teachenv.seeding"),
    "teachenv.archives",
    *(
        f"teachenv.experiments.{name}"
        for name in ("checkpoint", "config", "files", "rows", "store", "testsets")
    ),
    *(f"teachenv.experiments.{name}" for name in ("study", "study_file", "study_store")),
    *(f"teachenv.experiments.{name}" for name in ("export", "metrics", "plot_data")),
    "teachers.data.trained",
]

with atheris.instrument_imports(include=WATCHED):
    from fuzz import targets


def main() -> None:
    """Fuzz the harness named on the command line."""
    target, *options = sys.argv[1:]

    def one_input(data: bytes) -> None:
        targets.read(target, data)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        known = data.partition(b"\n")[0].decode(errors="replace") in targets.TARGETS[target]
        if not known or rng.random() < 0.1:  # readers that share their code share a place as well
            data = rng.choice(targets.seeds(target))
        found = targets.mutated(data, rng) if rng.random() < 0.5 else atheris.Mutate(data, max_size)
        return found[:max_size]

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(targets.seeds(target)):
            (Path(folder) / str(number)).write_bytes(data)
        given = [option for option in options if not option.startswith("-")]
        flags = [option for option in options if option.startswith("-")]
        arguments = ["-max_len=8192", "-timeout=20", "-rss_limit_mb=2048", *flags, *given, folder]
        atheris.Setup([sys.argv[0], *arguments], one_input, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
