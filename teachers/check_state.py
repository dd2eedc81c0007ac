"""Saving, loading and what a teacher keeps in memory."""

from __future__ import annotations

import copy
import functools

import numpy as np

from teachenv.protocols import State, Teacher, Trial
from teachers import probe
from teachers.check_case import Case, Problems

MAX_GROWTH = 8.0
"""Bytes a trial by which a teacher may grow once its windows are full."""

FILLING = 10
"""How much longer than the usual number of trials a teacher that grows may take to fill them."""


def saving(case: Case) -> Problems:
    """A state survives JSON and arrays, and whoever loads it has the same future."""
    teacher, waiting = case.build(), list[Trial]()
    half = case.n_trials // 2
    probe.drive(teacher, half, waiting=waiting)
    state = teacher.state_dict()
    try:
        saved = probe.stored(state)
    except (TypeError, ValueError) as error:
        yield "state-not-json", f"state_dict() must be JSON values and arrays: {error}"
        return
    before = probe.fingerprint(saved)
    other = case.build(seed=7)
    other.load_state_dict(saved)
    if probe.fingerprint(saved) != before:
        yield "mutates-input", "load_state_dict() changed the state it was given; copy first"
        saved = probe.stored(state)
    if probe.fingerprint(other.state_dict()) != before:
        yield "state-round-trip", _what_differs(saved, other.state_dict())
    runs = [probe.drive(t, half, waiting=list(waiting)) for t in (teacher, other)]
    if runs[0] != runs[1]:
        yield (
            "state-round-trip",
            f"after loading, {probe.first_difference(*runs)} from the original's; put everything "
            "the future depends on into _state(), the generator is there already",
        )
    used = case.build(seed=11)
    probe.drive(used, case.n_trials)
    used.load_state_dict(saved)
    if probe.drive(used, half, waiting=list(waiting)) != runs[0]:
        yield (
            "state-round-trip",
            "loaded into a teacher that was in use, the state gives another future; replace "
            "everything in _load_state()",
        )
    if probe.fingerprint(state) != before or probe.fingerprint(saved) != before:
        yield "state-shared", "a saved or loaded state changes while teachers go on; copy arrays"
    yield from _incomplete(case.build(), saved)


def _what_differs(saved: State, again: State) -> str:
    old, new = dict(probe.leaves(saved)), dict(probe.leaves(again))
    paths = {
        path
        for path in old.keys() | new.keys()
        if path not in old
        or path not in new
        or probe.fingerprint({"": old[path]}) != probe.fingerprint({"": new[path]})
    }
    return (
        "state_dict() after load_state_dict(state) is not the state; different: "
        f"{sorted(paths)!r:.200}"
    )


def _incomplete(teacher: Teacher, saved: State) -> Problems:
    """A state that lacks something the method remembers is refused."""
    method = saved.get("method")
    for key in method if isinstance(method, dict) else ():
        part = {**saved, "method": {k: v for k, v in saved["method"].items() if k != key}}
        try:
            teacher.load_state_dict(part)
        except ValueError:
            continue
        except Exception as error:  # noqa: BLE001
            text = f"raised {error!r}, expected ValueError"
        else:
            text = "was accepted"
        yield (
            "accepts-incomplete-state",
            f"a state without {key!r} {text}; read it as state[{key!r}]",
        )


def memory(case: Case) -> Problems:
    """What is remembered stops growing, once windows of some length are full."""
    teacher, played = case.build(), 0
    for stretches in ((1, 1, 1), (FILLING, 1, 1)):
        sizes = []
        for stretch in stretches:
            sizes.append(_size_after(teacher, stretch * case.n_trials))
            played += stretch
        growth = float(min(np.diff(sizes))) / case.n_trials
        if growth <= MAX_GROWTH:
            return
    yield (
        "memory-grows",
        f"{growth:.0f} bytes a trial, still after {(played - 2) * case.n_trials}; bound what is "
        "remembered (and where the bound is larger, check with a smaller one)",
    )


def _size_after(teacher: Teacher, n_trials: int) -> int:
    waiting: list[Trial] = []
    probe.drive(teacher, n_trials, waiting=waiting)
    for trial in waiting:
        teacher.tell(trial, probe.outcome_for(teacher, 0.5))
    return probe.deep_size(teacher)


def arguments_kept(case: Case) -> Problems:
    """Hyper-parameters and the space belong to the caller."""
    given = case.factory.keywords if isinstance(case.factory, functools.partial) else {}
    before = copy.deepcopy(given), case.space.to_json(), case.space.low.copy()
    high = case.space.high.copy()
    probe.drive(case.build(), case.n_trials // 2)
    if repr(given) != repr(before[0]):
        yield "mutates-input", f"hyper-parameters {before[0]!r:.120} became {given!r:.120}; copy"
    same = np.array_equal(before[2], case.space.low) and np.array_equal(high, case.space.high)
    if case.space.to_json() != before[1] or not same:
        yield "mutates-input", "the task space was changed; copy what you change"
