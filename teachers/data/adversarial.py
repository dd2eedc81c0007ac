"""A teacher that means ill: a stress test for students and environments."""

from __future__ import annotations

from teachers.data.utility import Utility

__all__ = ["AdversarialHelp"]


class AdversarialHelp(Utility):
    """Helps where help is expected to do most harm.

    The deceiving teacher of Saha, Hase and Bansal (NeurIPS 2023): the order of :class:`Utility`,
    reversed; it explores as much.
    """

    _sign = -1.0
