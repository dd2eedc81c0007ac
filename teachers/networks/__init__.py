"""Networks of teachers: the only place where teachers may import torch, and that on first use."""

from __future__ import annotations

from teachenv.errors import UserError


def require_torch(teacher_id: str) -> None:
    """Check that torch is there.

    Raises:
        UserError: if it is not installed, saying how to.
    """
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UserError(
            f"teacher {teacher_id!r} needs 'torch', which is not installed: "
            'pip install "teachenv[torch]"'
        ) from error
