"""A policy that was trained by reinforcement learning, as a teacher."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachenv.archives import read_arrays
from teachenv.envs.datagen.actions import ACTION_MODES, DECODERS, Decoder, decoder
from teachenv.envs.datagen.observations import observe
from teachenv.errors import UserError, one_of
from teachenv.lesson import DataPlan, Reading, Syllabus
from teachers.data.base import DataTeacher

__all__ = ["FORMAT", "Policy", "Trained"]

FORMAT = 1
MAX_BYTES = 16 << 20
"""Bytes of a saved policy at most."""
MAX_ARG = 100_000
"""Of the arguments of an action mode."""

Activation = Literal["tanh", "relu"]
Head = Literal["clip", "tanh", "argmax"]
Layers = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
"""Weights ``(n_out, n_in)`` and biases ``(n_out,)``, from the input on."""


class Policy(NamedTuple):
    """A multi-layer perceptron from an observation to its best action, in NumPy.

    Attributes:
        layers: What it is made of.
        activation: Between layers.
        head: What becomes of the last layer: "clip" to [-1, 1], "tanh", or "argmax" for the best
            of ``n_out`` actions.
        choices: With "argmax", for actions of several choices: how many each has, ``n_out`` in
            all; none for a single choice.
    """

    layers: Layers
    activation: Activation
    head: Head
    choices: tuple[int, ...] = ()

    def act(self, observation: NDArray[np.float32]) -> Any:
        """Return the action for an observation, float32 ``(n_in,)``."""
        value = observation.astype(np.float64)
        for index, (weight, bias) in enumerate(self.layers):
            if index:
                value = np.tanh(value) if self.activation == "tanh" else np.maximum(value, 0.0)
            value = weight @ value + bias
        if self.head == "argmax" and self.choices:
            parts = np.split(value, np.cumsum(self.choices)[:-1])
            return np.array([part.argmax() for part in parts], dtype=np.int64)
        if self.head == "argmax":
            return int(value.argmax())
        bounded = np.tanh(value) if self.head == "tanh" else np.clip(value, -1.0, 1.0)
        return bounded.astype(np.float32)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write ``teacher.json`` and ``policy.npz`` (no pickle) into a folder.

        Args:
            folder: Made if missing.
            about: What else to keep of it, JSON values; "action_mode" is needed to load it, and
                "action_args" where the mode has some.
        """
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {}
        for index, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight_{index}": weight, f"bias_{index}": bias}
        np.savez(folder / "policy.npz", **arrays)
        header = {"format": FORMAT, "activation": self.activation, "head": self.head}
        choices = {"choices": self.choices} if self.choices else {}
        (folder / "teacher.json").write_text(json.dumps({**header, **choices, **about}, indent=1))

    @classmethod
    def load(cls, folder: Path) -> tuple[Policy, dict[str, Any]]:
        """Read what :meth:`save` wrote; returns the policy and what is kept of it.

        Raises:
            UserError: if there is none, or it is damaged.
        """
        try:
            large = [p for p in (folder / "policy.npz", folder / "teacher.json") if _large(p)]
            if large:
                raise UserError(f"{large[0]}: larger than {MAX_BYTES >> 20} MiB; not a teacher's")
            about = json.loads((folder / "teacher.json").read_text())
            if about["format"] != FORMAT:
                raise UserError(f"{folder}: format {about['format']}, this version reads {FORMAT}")
            arrays = read_arrays(folder / "policy.npz")
            layers = tuple(
                (_matrix(arrays[f"weight_{i}"], 2), _matrix(arrays[f"bias_{i}"], 1))
                for i in range(len(arrays) // 2)
            )
            _refuse_misfits(layers)
            one_of("activation", about["activation"], ("tanh", "relu"))
            one_of("head", about["head"], ("clip", "tanh", "argmax"))
            one_of("action_mode", about["action_mode"], DECODERS)
            for name, kind in (("algorithm", str), ("steps", int), ("action_args", dict)):
                if not isinstance(about.get(name, kind()), kind):
                    raise ValueError(f"{name}: expected {kind.__name__}, got {about[name]!r:.80}")
            choices = tuple(about.get("choices", ()))
            whole = all(type(n) is int and n > 0 for n in choices)
            if choices and not (whole and sum(choices) == len(layers[-1][1])):
                raise ValueError(f"choices: expected {len(layers[-1][1])} in all, got {choices}")
            return cls(layers, about["activation"], about["head"], choices), about
        except Exception as error:  # damaged archives raise nearly anything
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{folder}: not a saved teacher (teachenv train-teacher makes one): {error}"
            ) from None


class Trained(DataTeacher):
    """A policy made by ``teachenv train-teacher``; its best action, always.

    One trained in a skill-list environment goes by any reading. Others go by what their kind of
    environment shows (``Reading.observation``).

    Args:
        syllabus: What there is to teach; of the size it was trained on.
        seed: Whole number in [0, 2**63]: of the counts drawn.
        path: Its folder.

    Raises:
        UserError: if there is no policy, it was trained on another size, or it is damaged.
    """

    id = "trained"

    def __init__(self, syllabus: Syllabus, *, seed: int = 0, path: str = "") -> None:
        super().__init__(syllabus, seed=seed)
        if not path:
            raise UserError(
                "teacher trained: say where it was saved (teacher argument path=FOLDER; "
                "teachenv train-teacher makes one)"
            )
        self._policy, about = Policy.load(Path(path))
        self._about = {name: about.get(name) for name in ("algorithm", "action_mode", "steps")}
        mode = about["action_mode"]
        self._decode = _decoder(path, mode, about.get("action_args", {}), syllabus)
        n_outputs, choices = _entries(self._decode.space)
        n_inputs = self._policy.layers[0][0].shape[1] if self._policy.layers else 0
        self.observes = 0 if mode in ACTION_MODES else n_inputs
        self.needs = frozenset({"trees"} if mode in ("simple", "full") else ())
        found = n_inputs, len(self._policy.layers[-1][1]) if self._policy.layers else 0
        expected = self.observes or 7 * syllabus.n_cells + 2, n_outputs
        if found != expected:
            raise UserError(
                f"teacher trained: {path} maps {found[0]} numbers to {found[1]}, "
                f"{syllabus.shape[0]} skills of {syllabus.n_levels} levels need {expected}; "
                "train one on this environment"
            )
        discrete = not hasattr(self._decode.space, "high")
        if (self._policy.head == "argmax", self._policy.choices) != (discrete, choices):
            raise UserError(
                f"teacher trained: {path}: a head {self._policy.head!r} with {choices} choices "
                f"gives no actions of mode {mode!r} here; it is damaged"
            )

    def _plan(self, reading: Reading) -> DataPlan:
        flat = reading.observation
        if not self.observes:
            observation = observe(reading, self.syllabus)
            flat = np.concatenate([observation[name].reshape(-1) for name in sorted(observation)])
        action = self._policy.act(flat)
        plan = self._decode(action, reading, self.syllabus.n_samples, self._rng)
        return dataclasses.replace(plan, reason=self.id)

    def _describe(self) -> dict[str, Any]:
        return dict(self._about)


def _decoder(path: str, mode: str, args: dict[str, Any], syllabus: Syllabus) -> Decoder:
    if any(isinstance(value, int) and value > MAX_ARG for value in args.values()):
        raise UserError(f"teacher trained: {path}: action_args: {args} are too large")
    try:
        return decoder(mode, syllabus, **args)
    except TypeError as error:
        raise UserError(f"teacher trained: {path}: action_args: {error}; it is damaged") from None


def _entries(space: Any) -> tuple[int, tuple[int, ...]]:
    """Return how many numbers an action is made from, and the ``choices`` of its policy."""
    if hasattr(space, "nvec"):
        return int(space.nvec.sum()), tuple(space.nvec.tolist())
    return (int(space.n) if hasattr(space, "n") else int(np.prod(space.shape))), ()


def _large(path: Path) -> bool:
    if not path.is_file():
        raise ValueError(f"{path.name} is missing, or no plain file")
    return path.stat().st_size > MAX_BYTES


def _matrix(array: NDArray[Any], ndim: int) -> NDArray[np.float32]:
    """Return an array as float32."""
    highest = np.finfo(np.float32).max
    if array.ndim != ndim or array.dtype.kind != "f" or not (np.abs(array) <= highest).all():
        raise ValueError(f"expected {ndim}-dimensional finite numbers of 32 bits")
    return array.astype(np.float32)


def _refuse_misfits(layers: Layers) -> None:
    """Refuse weights of other sizes than their biases, or than what the layer before gives."""
    given = [len(bias) for _, bias in layers]
    taken = [weight.shape for weight, _ in layers]
    if [n_out for n_out, _ in taken] != given or [n_in for _, n_in in taken[1:]] != given[:-1]:
        raise ValueError(f"layers of shapes {taken} with biases of {given} do not fit together")
