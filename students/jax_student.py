"""Students whose parameters are JAX pytrees, updated on the CPU."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import Any

import jax
from jax._src.xla_bridge import backends_are_initialized

from students.pytrees import tree_from_state, tree_to_state
from students.sb3 import Sb3Student
from teachenv.protocols import State
from teachenv.seeding import derive_int

_threads: int | None = None
"""Threads we started JAX with; ``None`` if we did not start it."""

_shared: dict[tuple[Any, ...], dict[str, Any]] = {}
"""Functions of train states, by network and optimizer: JAX compiles for each of them."""


def start_jax(threads: int) -> None:
    """Start JAX with a number of threads, unless it runs.

    JAX sets up its threads once in a process, for everything that uses it there, and the last
    bits of its results depend on their number. It takes the number from the environment
    variable ``NPROC`` or from the processors it may use; there is no other setting (the
    ``XLA_FLAGS`` named in places only stop some operations from being split). The threads that
    compile are not limited.

    Args:
        threads: How many. Warns if JAX runs with another number or was started by others.
    """
    global _threads
    if backends_are_initialized():
        if _threads != threads:
            by = f"with {_threads} threads" if _threads else "by others"
            warnings.warn(
                f"JAX was started in this process {by} and cannot be limited to {threads} now; "
                "results may differ in the last bits from those of a process of its own",
                stacklevel=2,
            )
        return
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = str(threads)
    try:
        jax.local_devices(backend="cpu")
    finally:
        if before is None:
            del os.environ["NPROC"]
        else:
            os.environ["NPROC"] = before
    _threads = threads


class JaxStudent(Sb3Student):
    """Knows where a model of SBX keeps its parameters."""

    def _take(self, model: Any) -> None:
        super()._take(model)
        for name, (owner, attribute) in self._train_states().items():
            one = getattr(owner, attribute)
            settings = (model.learning_rate, getattr(model, "max_grad_norm", None))
            key = (name, repr(one.apply_fn.__self__), *settings)
            setattr(owner, attribute, one.replace(**_shared.setdefault(key, _functions(one))))
        # Leaves JAX arrays only: a Python number among them would mean compiling twice.
        self._load_networks(self._networks())

    def _computing(self) -> contextlib.AbstractContextManager[None]:
        start_jax(self._threads)
        super()._computing()  # rollouts and replays are kept in torch
        cpu: contextlib.AbstractContextManager[None]
        cpu = jax.default_device(jax.local_devices(backend="cpu")[0])
        return cpu

    def _reseed(self, seed: int) -> None:
        super()._reseed(seed)
        policy: Any = self._model.policy
        policy.key = jax.random.PRNGKey(derive_int(seed, "actions"))

    def _networks(self) -> State:
        state: State = {"policy": {}, "optimizers": {}}
        for name, (owner, attribute) in self._train_states().items():
            one = getattr(owner, attribute)
            state["policy"][name] = tree_to_state(_parameters(one))
            state["optimizers"][name] = tree_to_state(_optimizer(one))
        return state

    def _load_networks(self, state: State) -> None:
        for name, (owner, attribute) in self._train_states().items():
            one = getattr(owner, attribute)
            parameters = tree_from_state(_parameters(one), state["policy"][name])
            optimizer = tree_from_state(_optimizer(one), state["optimizers"][name])
            setattr(owner, attribute, one.replace(**parameters, **optimizer))

    def _train_states(self) -> dict[str, tuple[Any, str]]:
        """Return where Flax's train states are, by name: their owner and attribute."""
        raise NotImplementedError


def _functions(train_state: Any) -> dict[str, Any]:
    return {"apply_fn": train_state.apply_fn, "tx": train_state.tx}


def _parameters(train_state: Any) -> dict[str, Any]:
    names = [name for name in ("params", "target_params") if hasattr(train_state, name)]
    return {name: getattr(train_state, name) for name in names}


def _optimizer(train_state: Any) -> dict[str, Any]:
    return {"step": train_state.step, "opt_state": train_state.opt_state}
