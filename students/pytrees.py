"""JAX pytrees to plain state (named NumPy arrays) and back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from teachenv.protocols import State


def tree_to_state(tree: Any) -> State:
    """Return copies of a pytree's leaves as NumPy arrays, by their paths."""
    return {name: np.array(jnp.asarray(leaf)) for name, leaf in _named_leaves(tree)}


def tree_from_state(like: Any, state: State) -> Any:
    """Return a pytree with the structure and dtypes of ``like`` from :func:`tree_to_state`.

    Raises:
        KeyError: if a leaf is missing.
        RuntimeError: if there are other leaves, or of other shapes: those of another network.
    """
    named = _named_leaves(like)
    unknown = sorted(set(state) - {name for name, _ in named})
    if unknown:
        raise RuntimeError(f"state of another network: {unknown} are not in this one")
    leaves = []
    for name, leaf in named:
        value, expected = np.asarray(state[name]), jnp.asarray(leaf)
        if value.shape != expected.shape:
            raise RuntimeError(
                f"state of another network: {name}: expected shape {expected.shape}, "
                f"got {value.shape}"
            )
        leaves.append(jnp.array(value, dtype=expected.dtype))
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _named_leaves(tree: Any) -> list[tuple[str, Any]]:
    leaves, _ = jax.tree.flatten_with_path(tree)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]
