"""The native engine and the reference physics, stepped together from equal poses."""

import struct

import numpy as np
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics
from native_walkers import LEAVE, RESTART, Walkers

from teachenv.env import Level
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.reference import ReferencePhysics
from teachenv.envs.bipedal.tracks import STOCK


class Reference:
    """A walker on the reference physics."""

    def __init__(self, course, level_seed, terrain=None, body="default"):
        self.physics = ReferencePhysics(BODIES[body], STOCK)
        self.observation = self.physics.restart(Level(np.array([course]), level_seed), terrain)
        self.heuristic = BipedalWalkerHeuristics()
        self.reward, self.terminated = 0.0, False

    def step(self, action):
        self.observation, self.reward, self.terminated = self.physics.step(action.tolist())

    def bodies(self):
        """As ``Engine.get_bodies``."""
        rows = [
            (*part.position, part.angle, *part.linearVelocity, part.angularVelocity)
            for part in self.physics.simulation.parts
        ]
        return np.array(rows, np.float32)

    def contacts(self):
        """As :func:`read_contacts`."""
        contacts = []
        for contact in self.physics.simulation.world.contacts:
            part = contact.fixtureB.userData
            manifold = contact.manifold
            points = manifold.points[: manifold.pointCount]
            impulses = [i for p in points for i in (p.normalImpulse, p.tangentImpulse)]
            contacts.append((part, [p.id.key for p in points], impulses))
        return contacts


def lockstep(course, steps, n=16, seed=0, build=None, body="default"):
    """Step walkers on both sides, poses and velocities made equal before each step.

    Contacts and impulses are each side's own. Half of the walkers act at random; of the others, the
    default body acts by Gymnasium's heuristic, and other bodies hold random actions for ten steps.
    Those that fall restart on further levels. ``build`` makes a terrain of a level seed, to be
    played instead of the level's.

    Yields:
        The native walkers and the list of references, after each step.
    """
    rng, walkers = np.random.default_rng(seed), Walkers(n, body=body)
    walkers.tasks[:] = course
    walkers.level_seeds[:] = np.arange(seed, seed + n)

    def begin(lane):
        level_seed = int(walkers.level_seeds[lane])
        terrain = None if build is None else build(level_seed)
        if terrain is not None:
            push = STOCK.start(Level(np.array([course]), level_seed)).push
            walkers.engine.set_terrain(lane, terrain.ground, list(terrain.polygons), push)
        return Reference(course, level_seed, terrain, body)

    references = [begin(lane) for lane in range(n)]
    walkers.restart()
    held = np.zeros_like(walkers.actions)
    for step in range(steps):
        actions = rng.uniform(-1, 1, held.shape).astype(np.float32)
        if step % 10 == 0:
            held = actions.copy()
        for lane, reference in enumerate(references):
            walkers.engine.set_bodies(lane, reference.bodies())
            if lane % 2 and body != "default":
                actions[lane] = held[lane]
            elif lane % 2:
                actions[lane] = reference.heuristic.step_heuristic(reference.observation)
        walkers.step(actions)
        for reference, action in zip(references, actions, strict=True):
            reference.step(action)
        yield walkers, references
        terminated = np.array([reference.terminated for reference in references])
        for lane in np.flatnonzero(terminated):
            walkers.level_seeds[lane] += n
            references[lane] = begin(lane)
        walkers.mode[:] = np.where(terminated, RESTART, LEAVE)
        walkers.advance()


def read_contacts(state):
    """What ``get_state`` says of contacts, oldest first: (part, ids of points, impulses)."""
    at = start_of_contacts(state)
    (count,) = struct.unpack_from("<I", state, at)
    contacts = []
    for start in range(at + 4, at + 4 + 70 * count, 70):
        part, _, _, points = struct.unpack_from("<ii?i", state, start)
        numbers = [struct.unpack_from("<ffI", state, start + 38 + 20 * i) for i in range(points)]
        impulses = [impulse for normal, tangent, _ in numbers for impulse in (normal, tangent)]
        contacts.append((part, [key for _, _, key in numbers], impulses))
    return contacts


def touches_obstacle(state):
    """Whether a part touches one of the terrain's polygons."""
    (ground,) = struct.unpack_from("<I", state, 12)
    (polygons,) = struct.unpack_from("<I", state, 16 + 16 * ground)
    (count,) = struct.unpack_from("<I", state, at := start_of_contacts(state))
    contacts = [struct.unpack_from("<ii?", state, at + 4 + 70 * i) for i in range(count)]
    return any(touching and fixture < polygons for _, fixture, touching in contacts)


def start_of_contacts(state):
    """Offset in a state of the number of contacts."""
    parts, joints = struct.unpack_from("<ii", state, 4)
    return end_of_terrain(state) + parts * 53 + joints * 20 + 10


def end_of_terrain(state):
    """Offset in a state of what comes after the terrain."""
    (ground,) = struct.unpack_from("<I", state, 12)
    at = 16 + 16 * ground
    (polygons,) = struct.unpack_from("<I", state, at)
    at += 4
    for _ in range(polygons):
        (corners,) = struct.unpack_from("<I", state, at)
        at += 4 + 16 * corners
    return at
