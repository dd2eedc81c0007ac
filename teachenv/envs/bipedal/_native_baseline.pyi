"""What each ``_native_*`` module holds, here the one that every processor runs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ISAS: tuple[str, ...]
"""Instruction sets this processor can run, slowest first."""

def terrain(
    track: str, task: NDArray[np.float64], level_seed: int
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], float]:
    """Return ground, polygons and push of a level."""

class Engine:
    """A batch of walkers; arrays are C-contiguous, of exact dtype and shape."""

    num_joints: int
    num_actions: int
    observation_size: int
    task_dim: int
    isa: str

    def __init__(
        self, body: tuple[Any, ...], track: str, num_envs: int, num_threads: int
    ) -> None: ...
    def advance(
        self,
        mode: NDArray[np.uint8],
        actions: NDArray[np.float32],
        tasks: NDArray[np.float64],
        level_seeds: NDArray[np.uint64],
        observations: NDArray[np.float32],
        rewards: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        positions: NDArray[np.float64],
    ) -> None:
        """Step (mode 1), restart (2) or leave alone (0) every walker."""

    def set_terrain(
        self,
        lane: int,
        ground: NDArray[np.float64],
        polygons: list[NDArray[np.float64]],
        push: float,
    ) -> None:
        """Set what the lane's next restart plays instead of its level."""

    def get_terrain(self, lane: int) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """Return ground and polygons."""

    def get_bodies(self, lane: int) -> NDArray[np.float32]:
        """Return x, y, angle and their velocities of every part."""

    def set_bodies(self, lane: int, bodies: NDArray[np.float32]) -> None:
        """Place every part."""

    def get_state(self, lane: int) -> bytes:
        """Return everything the lane's future depends on."""

    def set_state(self, lane: int, state: bytes) -> None:
        """Continue from :meth:`get_state`; ValueError for anything else."""

    def memory_bytes(self) -> int:
        """Return the memory held."""
