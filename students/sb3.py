"""What students with the interface of Stable-Baselines3 share, whatever computes their updates.

Every ``learn`` reseeds everything. What is saved is what outlives it: parameters, optimizers,
normalisation statistics, replay buffer and counters; and, where the student carries them, the
episodes being played. Other students start fresh ones in every ``learn``.
"""

from __future__ import annotations

import contextlib
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from students.lanes import Lanes
from students.vector_lanes import VectorLanes
from teachenv.broker import Broker
from teachenv.protocols import State
from teachenv.seeding import derive_int


class Sb3Student:
    """Carries seeds, counters and state between the run loop and a model of this interface.

    ``PpoStudent`` and ``SacStudent`` build the model; ``TorchStudent`` and ``JaxStudent`` know
    where it keeps its parameters. A student combines one of each.
    """

    name: ClassVar[str]
    """The student's id, for messages."""
    provides: frozenset[str] = frozenset()
    _model: BaseAlgorithm
    _lanes: Lanes | VectorLanes

    def __init__(self, broker: Broker, threads: int) -> None:
        self._broker = broker
        self._threads = threads
        self._playing = False
        """Whether episodes are being played that the next ``learn`` goes on with."""

    @property
    def carries(self) -> bool:
        """See :class:`teachenv.protocols.Student`."""
        return False

    def learn(self, n_steps: int, *, seed: int, carry: bool = False) -> int:
        """Train for at least ``n_steps`` steps; see :class:`teachenv.protocols.Student`.

        Whole rollouts are played. Sets torch's number of threads and reseeds the generators
        of ``random``, NumPy and torch, which Stable-Baselines3 draws from.

        Raises:
            ValueError: if ``n_steps`` is not positive, or it cannot carry episodes.
        """
        if n_steps < 1:
            raise ValueError(f"learn: expected a positive number of steps, got {n_steps}")
        if carry and not self.carries:
            raise ValueError("learn: these episodes cannot be carried on; expected carry=False")
        model = self._model
        before = model.num_timesteps
        try:
            with self._computing():
                self._reseed(derive_int(seed, "student"))
                callback = self._callback(self._broker.step - before)
                if not self._playing:
                    self._lanes.restart_from(seed)
                    model._last_obs = None  # makes the model reset its environments
                self._playing = False
                model.learn(
                    n_steps,
                    callback=callback,
                    log_interval=None,  # type: ignore[arg-type]
                    reset_num_timesteps=False,
                )
                self._playing = carry
        finally:
            if not self._playing:
                self._lanes.abandon()
        return model.num_timesteps - before

    def act(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return deterministic actions, shape ``(n, ...)``, for observations ``(n, ...)``.

        Raises:
            ValueError: if the observations are not a batch.
        """
        batch = np.asarray(observations)
        shape = self._lanes.observation_space.shape
        if batch.ndim == 0 or batch.shape[1:] != shape:
            raise ValueError(f"act: expected observations (n, *{shape}), got shape {batch.shape}")
        with self._computing():
            return self._model.policy.predict(self._normalized(batch), deterministic=True)[0]

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values and arrays."""
        return {
            **self._networks(),
            "counters": {
                "num_timesteps": self._model.num_timesteps,
                "n_updates": self._model._n_updates,
                "episodes": self._model._episode_num,
            },
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            KeyError: if something is missing.
            RuntimeError: if the parameters are those of another network.
        """
        counters = state["counters"]
        with self._computing():
            self._load_networks(state)
        self._model.num_timesteps = int(counters["num_timesteps"])
        self._model._n_updates = int(counters["n_updates"])
        self._model._episode_num = int(counters["episodes"])

    def close(self) -> None:
        """Close the environments."""
        self._lanes.close()

    def _take(self, model: Any) -> None:
        """Take the model the student is to train."""
        model.set_logger(Logger(folder=None, output_formats=[]))
        self._model = model

    def _normalized(self, observations: NDArray[Any]) -> NDArray[Any]:
        return observations

    def _callback(self, offset: int) -> BaseCallback:
        return Advance(self._broker, offset)

    # -- the library that computes ---------------------------------------------------------

    def _computing(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which the student's devices and threads are used."""
        torch.set_num_threads(self._threads)
        return contextlib.nullcontext()

    def _reseed(self, seed: int) -> None:
        self._model.set_random_seed(seed)

    def _networks(self) -> State:
        """Return ``policy`` (parameters) and ``optimizers``."""
        raise NotImplementedError

    def _load_networks(self, state: State) -> None:
        raise NotImplementedError


class Advance(BaseCallback):
    """Keeps the broker's step up to date: the model's counter plus ``offset``."""

    def __init__(self, broker: Broker, offset: int) -> None:
        super().__init__()
        self._broker = broker
        self._offset = offset

    def _on_step(self) -> bool:
        self._broker.advance(self._offset + self.model.num_timesteps)
        return True
