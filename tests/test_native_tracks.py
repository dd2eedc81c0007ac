"""The native engine among hexagons, pits, stairs and stumps of any shape."""

import numpy as np
import pytest
from native_lockstep import lockstep, read_contacts, touches_obstacle
from native_walkers import ISAS, RESTART, STEP, Walkers, draw_moves

from teachenv.env import Level
from teachenv.envs.bipedal.levels import FLAT
from teachenv.envs.bipedal.terrain import Terrain
from teachenv.envs.bipedal.tracks import course_track, hexagon_track, sequence_track, stump_track

COURSES = course_track()
PITS = {**FLAT, "roughness": 1.0, "pit_gap_a": 0.5, "pit_gap_b": 4.0}
STAIRS = {**FLAT, "stair_height_a": 0.1, "stair_height_b": 0.8, "stair_steps": 5}
SHAPES = stump_track((0.0, 1.0), (0.0, 2.0), (0.1, 2.0), (0.0, 1.5), 0.1, 0.3)


def shapes(rng):
    return SHAPES.task_space.sample(rng)


FAMILIES = {
    "hexagons": (hexagon_track(), lambda rng: rng.uniform(0.0, 1.2, 12)),
    "pits": (COURSES, lambda rng: COURSES.task_space.task(PITS)),
    "stairs": (COURSES, lambda rng: COURSES.task_space.task(STAIRS)),
    "stumps of any shape": (SHAPES, shapes),
    "sequences": (sequence_track(), lambda rng: rng.uniform(0.0, 0.8, 10)),
}


def beginning_at_the_obstacles(family):
    """Levels moved to the left, so that the first obstacle stands before the walker."""
    track, draw_task = FAMILIES[family]

    def build(level_seed):
        rng = np.random.default_rng(level_seed)
        terrain = track.start(Level(draw_task(rng), level_seed)).terrain
        back = np.array([rng.uniform(3.2, 4.5), 0.0])
        return Terrain(terrain.ground - back, tuple(p - back for p in terrain.polygons))

    return build


@pytest.mark.parametrize("family", FAMILIES)
def test_steps_from_the_same_poses_are_the_references_steps(family):
    """6400 steps: the same ends, observations but for rounding in the most chaotic steps."""
    build = beginning_at_the_obstacles(family)
    off, touches, others = [], 0, []
    for step, (walkers, references) in enumerate(lockstep(0.0, 400, seed=50, build=build)):
        assert walkers.terminated.tolist() == [r.terminated for r in references]
        difference = np.abs(walkers.observations - [r.observation for r in references]).max(axis=1)
        off += [(step, lane, difference[lane]) for lane in np.flatnonzero(difference > 0.02)]
        for lane, reference in enumerate(references):
            state = walkers.engine.get_state(lane)
            touches += touches_obstacle(state)
            ours, theirs = read_contacts(state), reference.contacts()
            if [c[:2] for c in ours] != [c[:2] for c in theirs]:
                others.append((step, lane))
    print(f"{family}: {touches} touches, off {off}, other contacts {others}")
    assert touches > 400
    assert len(off) <= 3, off
    assert len(others) <= 6, others


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("family", FAMILIES)
def test_levels_do_not_depend_on_the_instruction_set(family, isa):
    track, draw_task = FAMILIES[family]
    tasks = [draw_task(np.random.default_rng(seed)) for seed in range(20)]
    walkers = Walkers(20, track.name, isa)
    walkers.tasks[:] = tasks
    walkers.restart()
    for lane, task in enumerate(tasks):
        terrain = track.start(Level(task, lane)).terrain
        ground, polygons = walkers.engine.get_terrain(lane)
        assert ground.tobytes() == terrain.ground.tobytes()
        assert [p.tobytes() for p in polygons] == [p.tobytes() for p in terrain.polygons]


@pytest.mark.parametrize("family", ["hexagons", "courses", "shapes"])
def test_no_number_is_nan_on_the_hardest_levels(family):
    """Walkers begin anywhere in a level, also within obstacles."""
    track = {"hexagons": hexagon_track(), "courses": COURSES, "shapes": SHAPES}[family]
    n, rng = 256, np.random.default_rng(0)
    walkers = Walkers(n, track.name)
    walkers.tasks[:] = [track.task_space.sample(rng) for _ in range(n)]
    over = np.ones(n, np.bool_)
    for _ in range(120):
        walkers.actions[:] = rng.uniform(-1, 1, walkers.actions.shape)
        walkers.level_seeds[over] += np.uint64(n)
        walkers.mode[:] = np.where(over, RESTART, STEP)
        walkers.advance()
        for lane, move in zip(np.flatnonzero(over), draw_moves(rng, over.sum()), strict=True):
            walkers.move(lane, move)
        over = walkers.terminated.copy()
        assert np.isfinite(walkers.observations).all()
        assert np.isfinite(walkers.rewards).all()
        assert np.isfinite(walkers.positions).all()


def test_the_densest_track_is_stepped_like_any_other():
    """177 stumps, and the states that hold them."""
    walkers = Walkers(8, "stump_tracks")
    walkers.tasks[:] = [0.3, 0.0]
    walkers.restart()
    assert len(walkers.engine.get_terrain(0)[1]) == 177
    walkers.move(0, (30.0, 0.5))
    for _ in range(100):
        walkers.step(np.random.default_rng(0).uniform(-1, 1, (8, 4)))
    state = walkers.engine.get_state(0)
    walkers.engine.set_state(1, state)
    walkers.step(np.zeros((8, 4)))
    np.testing.assert_array_equal(walkers.observations[0], walkers.observations[1])


def test_walkers_fall_off_ground_that_ends_before_the_finish():
    track = stump_track(0.0, (0.0, 6.0), legacy_ground_end=True)
    walkers = Walkers(1, track.name)
    walkers.tasks[:] = 6.0
    walkers.restart()
    end = walkers.engine.get_terrain(0)[0][-1, 0]
    assert end == pytest.approx(87.4)
    walkers.move(0, (end + 0.8 - walkers.positions[0], 0.0))
    heights = []
    for _ in range(60):
        walkers.step(np.zeros((1, 4)))
        heights.append(walkers.engine.get_bodies(0)[0, 1])
        assert np.isfinite(walkers.observations).all()
    assert heights[-1] < 0.0
