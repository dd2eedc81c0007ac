"""Same seed and same calls, same trials: seeds, foreign randomness, clocks, other instances."""

from __future__ import annotations

import inspect
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from teachers import probe
from teachers.check_case import Case, Problems

SEEDS = (0, 1, 42, 2**31 - 1, 2**63)

LOOK_FOR = "look for global randomness, clocks, id(), hash(), sets and shared state"


def seeds(case: Case) -> Problems:
    """Two teachers with one seed agree, told late and out of order; other seeds differ."""
    starts = set()
    for seed in SEEDS:
        first, second = (
            probe.drive(case.build(seed), case.n_trials // 3, seed=seed % 97) for _ in range(2)
        )
        if first != second:
            yield (
                "not-reproducible",
                f"two teachers with seed {seed}: {probe.first_difference(first, second)}; "
                f"{LOOK_FOR}; 0 is a seed like any other",
            )
        starts.add(tuple(record[1:] for record in first[:10]))
    one_task = all(dim.n_values == 1 for dim in case.space)
    if not one_task and len(starts) < len(SEEDS):
        yield (
            "seed-ignored",
            f"some of the seeds {SEEDS} give the same first 10 trials; hand seed= to "
            "BaseTeacher.__init__ and draw from self._rng",
        )


def foreign_randomness(case: Case) -> Problems:
    """Global generators and clocks neither move nor matter."""
    runs = []
    for number in (1, 2):
        with foreign_world(number) as (reseed, moved):
            teacher = case.build(seed=3)
            runs.append(
                probe.drive(teacher, case.n_trials, on_trial=lambda trial: reseed(trial.id))
            )
            if moved():
                yield (
                    "global-rng-used",
                    "a global generator (numpy, random or torch) moved; draw from self._rng only, "
                    "and seed libraries that insist on their own",
                )
    if runs[0] != runs[1]:
        yield (
            "not-reproducible",
            f"same seed and calls, but {probe.first_difference(*runs)}; {LOOK_FOR}",
        )
    try:
        with no_global_draws():
            probe.drive(case.build(seed=3), case.n_trials)
    except GlobalDrawError as error:
        yield "global-rng-used", f"the teacher called {error}; draw from self._rng only"


def instances_apart(case: Case) -> Problems:
    """A second teacher in the same process changes nothing for the first."""
    part = case.n_trials // 6
    alone = case.build()
    expected = [probe.drive(alone, part, seed=i) for i in range(3)]
    first, second = case.build(), case.build(seed=7)
    for i in range(3):
        found = probe.drive(first, part, seed=i)
        if found != expected[i]:
            difference = probe.first_difference(expected[i], found)
            yield (
                "shares-state",
                f"with a second teacher in the process {difference}; look for mutable defaults "
                "and lists or dicts on the class or module",
            )
            return
        probe.drive(second, part, seed=i, history=lambda i, u: 1.0 - float(u[0]))


# -- a foreign world -----------------------------------------------------------------------


class GlobalDrawError(RuntimeError):
    """A global generator was used; the message is the name of the function."""


@contextmanager
def foreign_world(number: int) -> Iterator[tuple[Callable[[int], None], Callable[[], bool]]]:
    """Move the clocks and hand over the global generators for a while.

    Args:
        number: Tells worlds apart.

    Yields:
        A function that seeds the global generators from a number, and one that tells whether
        anybody else has moved them.
    """
    torch = sys.modules.get("torch")
    before = np.random.get_state(), random.getstate()  # noqa: NPY002
    torch_before = None if torch is None else torch.random.get_rng_state()
    expected = [_global_states()]
    strayed = [False]

    def reseed(i: int) -> None:
        strayed[0] |= _global_states() != expected[0]
        np.random.seed(1009 * number + i)  # noqa: NPY002
        random.seed(1009 * number + i)
        if torch is not None:
            torch.default_generator.manual_seed(1009 * number + i)
        expected[0] = _global_states()

    clocks = ("time", "monotonic", "perf_counter")
    moved = {name: _moved(getattr(time, name), 1e6 * number + 0.37) for name in clocks}
    try:
        with mock.patch.multiple(time, **moved):
            reseed(0)
            yield reseed, lambda: strayed[0] or _global_states() != expected[0]
    finally:
        np.random.set_state(before[0])  # noqa: NPY002
        random.setstate(before[1])
        if torch is not None:
            torch.random.set_rng_state(torch_before)


def _moved(clock: Callable[[], float], shift: float) -> Any:
    return lambda: clock() + shift


def _global_states() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    torch = sys.modules.get("torch")
    drawn = b"" if torch is None else torch.random.get_rng_state().numpy().tobytes()
    return np.asarray(keys).tobytes(), rest, random.getstate(), drawn


@contextmanager
def no_global_draws() -> Iterator[None]:
    """Let the draws of ``np.random``, ``random`` and Gymnasium's spaces raise for a while.

    Raises:
        GlobalDrawError: from within, wherever one is called.
    """
    patches = [
        mock.patch.object(owner, name, _raiser(f"{label}.{name}"))
        for owner, label, name in _draws()
    ]
    made = np.random.default_rng

    def default_rng(seed: Any = None) -> np.random.Generator:
        if seed is None:
            raise GlobalDrawError("np.random.default_rng() without a seed")
        return made(seed)

    patches.append(mock.patch.object(np.random, "default_rng", default_rng))
    started = []
    try:
        for patch in patches:
            patch.start()
            started.append(patch)
        yield
    finally:
        for patch in reversed(started):
            patch.stop()


def _raiser(name: str) -> Callable[..., Any]:
    def draw(*args: object, **kwargs: object) -> Any:
        raise GlobalDrawError(f"{name}()")

    return draw


def _draws() -> Iterator[tuple[Any, str, str]]:
    """Yield owner, label and name of every function that draws from a global generator."""
    kept = {"get_state", "set_state", "getstate", "setstate", "seed"}
    for module, label, names in (
        (np.random, "np.random", np.random.__all__),
        (random, "random", random.__all__),
    ):
        for name in names:
            function = getattr(module, name, None)
            if name not in kept and inspect.isroutine(function) and hasattr(function, "__self__"):
                yield module, label, name
    spaces = sys.modules.get("gymnasium.spaces")
    for name, cls in vars(spaces).items() if spaces is not None else ():
        if inspect.isclass(cls) and "sample" in vars(cls):
            yield cls, f"gymnasium.spaces.{name}", "sample"
