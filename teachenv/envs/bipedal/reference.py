"""The reference physics: Box2D, bit for bit what Gymnasium's BipedalWalker does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.env import Level
from teachenv.envs.bipedal.bodies import Body
from teachenv.envs.bipedal.lidar import RAYS
from teachenv.envs.bipedal.render import Scene
from teachenv.envs.bipedal.simulation import Simulation
from teachenv.envs.bipedal.terrain import FINISH_X, SCALE, Terrain
from teachenv.envs.bipedal.tracks import Track


class ReferencePhysics:
    """One walker on Box2D; every episode gets a world of its own.

    Attributes:
        x: Horizontal position of the head, in metres; 0 before the first episode.
        simulation: The current episode's world.
    """

    simulation: Simulation

    def __init__(self, body: Body, track: Track) -> None:
        self.x = 0.0
        self._body = body
        self._track = track
        self._still = [0.0] * len(body.motors)
        self._shaping = 0.0
        self._observation: NDArray[np.float32]

    def restart(self, level: Level, terrain: Terrain | None) -> NDArray[np.float32]:
        """Start an episode; see :class:`teachenv.envs.bipedal.walkers.Physics`."""
        start = self._track.start(level)
        self.simulation = Simulation(self._body, terrain or start.terrain, start.push)
        self._observation = self.simulation.step(self._still)
        self.x = self.simulation.x
        self._shaping = self._potential()
        return self._observation

    def step(self, actions: list[float]) -> tuple[NDArray[np.float32], float, bool]:
        """Play a step; see :class:`teachenv.envs.bipedal.walkers.Physics`."""
        simulation = self.simulation
        effort = 0.0
        for value in actions:
            effort += min(abs(value), 1.0)
        self._observation = observation = simulation.step(actions)
        self.x = x = simulation.x
        shaping = self._potential()
        reward = shaping - self._shaping - self._body.torque_penalty * effort
        self._shaping = shaping
        if simulation.fallen or x < 0.0:
            return observation, -100.0, True
        return observation, reward, x > FINISH_X

    def scene(self) -> Scene:
        """Return what a picture of the current state shows."""
        poses = [(*part.position, part.angle) for part in self.simulation.parts]
        lidar = self._observation[-RAYS:]
        return Scene(self._body, self.simulation.terrain, np.array(poses), lidar)

    def _potential(self) -> float:
        simulation = self.simulation
        return 130.0 * simulation.x / SCALE - self._body.tilt_penalty * abs(simulation.angle)
