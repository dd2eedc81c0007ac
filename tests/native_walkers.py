"""The native engine with the arrays of its calls; tests skip where it is not built."""

from dataclasses import dataclass

import numpy as np
import pytest

from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.engine import LEAVE, RESTART, STEP, describe

native = pytest.importorskip(
    "teachenv.envs.bipedal._native",
    reason="the native engine (teachenv.envs.bipedal._native) is not built",
    exc_type=ModuleNotFoundError,
)
ISAS = native.ISAS


class Walkers:
    """An engine and its arrays, one row per walker; every walker restarts in the first call."""

    def __init__(self, num_envs, track="stock", isa="auto", num_threads=1, body="default"):
        numbers = describe(BODIES[body])
        self.engine = native.load(isa).Engine(numbers, track, num_envs, num_threads)
        self.mode = np.full(num_envs, RESTART, np.uint8)
        self.actions = np.zeros((num_envs, self.engine.num_actions), np.float32)
        self.tasks = np.zeros((num_envs, self.engine.task_dim))
        self.level_seeds = np.arange(num_envs, dtype=np.uint64)
        self.observations = np.zeros((num_envs, self.engine.observation_size), np.float32)
        self.rewards = np.zeros(num_envs)
        self.terminated = np.zeros(num_envs, np.bool_)
        self.positions = np.zeros(num_envs)

    @property
    def arguments(self):
        """What ``advance`` takes, in its order."""
        return (
            self.mode,
            self.actions,
            self.tasks,
            self.level_seeds,
            self.observations,
            self.rewards,
            self.terminated,
            self.positions,
        )

    def advance(self):
        self.engine.advance(*self.arguments)

    def restart(self):
        self.mode[:] = RESTART
        self.advance()

    def step(self, actions):
        self.mode[:] = STEP
        self.actions[:] = actions
        self.advance()

    def move(self, lane, by):
        """Move a walker as a whole by (x, y) metres."""
        bodies = self.engine.get_bodies(lane)
        bodies[:, :2] += by
        self.engine.set_bodies(lane, bodies)


@dataclass
class Script:
    """What walkers play: levels, where in them they begin, and an action for each call."""

    track: str
    tasks: np.ndarray
    level_seeds: np.ndarray
    moves: np.ndarray
    actions: np.ndarray
    body: str = "default"


def draw_moves(rng, n):
    """Moves from the start pad to among the obstacles of a level, shape ``(n, 2)``, in metres."""
    return np.column_stack([rng.uniform(5.0, 75.0, n), rng.uniform(0.0, 2.0, n)])


def make_script(track, tasks, calls, seed=0, body="default"):
    """Actions are new in every call for half of the walkers, in every tenth for the others.

    Three quarters of the walkers fall on obstacles; the others begin where levels do.
    """
    rng = np.random.default_rng(seed)
    n, n_actions = len(tasks), len(BODIES[body].motors)
    actions = rng.uniform(-1.2, 1.2, (n, calls, n_actions)).astype(np.float32)
    actions[::2] = np.repeat(actions[::2, ::10], 10, axis=1)[:, :calls]
    level_seeds = rng.integers(2**32, size=n, dtype=np.uint64)
    moves = draw_moves(rng, n)
    moves[::4] = 0.0
    return Script(track, np.asarray(tasks, float), level_seeds, moves, actions, body)


def record(script, rows, isa="auto", num_threads=1, pauses=None):
    """Play a script and return all outputs as bytes, uint8 of shape ``(len(rows), calls, k)``.

    Walker ``i`` plays row ``rows[i]`` of the script. It restarts when it has fallen, and is left
    alone in three calls of ten, at random, if ``pauses`` is a generator.
    """
    walkers = Walkers(len(rows), script.track, isa, num_threads, script.body)
    walkers.tasks[:] = script.tasks[rows]
    walkers.level_seeds[:] = script.level_seeds[rows]
    calls = script.actions.shape[1]
    done_calls, fallen = np.zeros(len(rows), int), np.ones(len(rows), np.bool_)
    recorded = None
    while (done_calls < calls).any():
        moving = done_calls < calls
        if pauses is not None:
            moving &= pauses.random(len(rows)) < 0.7
        walkers.mode[:] = np.where(moving, np.where(fallen, RESTART, STEP), LEAVE)
        walkers.actions[:] = script.actions[rows, np.minimum(done_calls, calls - 1)]
        before = outputs(walkers)
        walkers.advance()
        for lane in np.flatnonzero(moving & fallen):
            walkers.move(lane, script.moves[rows[lane]])
        after = outputs(walkers)
        assert np.array_equal(before[~moving], after[~moving]), "a walker left alone wrote outputs"
        if recorded is None:
            recorded = np.zeros((len(rows), calls, after.shape[1]), np.uint8)
        recorded[moving, done_calls[moving]] = after[moving]
        fallen = np.where(moving, walkers.terminated, fallen)
        walkers.level_seeds[moving & fallen] += np.uint64(1)
        done_calls += moving
    return recorded


def outputs(walkers):
    """All outputs of a call as bytes, one row per walker."""
    arrays = (walkers.observations, walkers.rewards, walkers.terminated, walkers.positions)
    rows = [array.reshape(len(array), -1).copy().view(np.uint8) for array in arrays]
    return np.concatenate(rows, axis=1)
