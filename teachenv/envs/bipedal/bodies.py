"""Embodiments as data. A new body is one entry of ``BODIES``."""

from __future__ import annotations

from teachenv.envs.bipedal.bodies_legged import bent, straight
from teachenv.envs.bipedal.bodies_teachmyagent import chimpanzee, millipede, spider, wheel
from teachenv.envs.bipedal.body_parts import FPS, Body, Joint, Part, Point

__all__ = ["BODIES", "FPS", "Body", "Joint", "Part", "Point"]

BODIES: dict[str, Body] = {
    "short": bent("short"),
    "default": bent("default"),
    "quadruped": bent("quadruped"),
    "quadruped-dead-flags": bent("quadruped", dead_flags=True),
    "classic-biped": straight("default"),
    "small-biped": straight("short"),
    "big-quadruped": straight("quadruped"),
    "spider": spider(),
    "millipede": millipede(),
    "wheel": wheel(),
    "chimpanzee": chimpanzee(),
}
"""Name -> embodiment.

"default" is Gymnasium's walker, and TeachMyAgent's ``old_classic_bipedal``. "short" and "quadruped"
are teachDeepRL's; "quadruped-dead-flags" is its "quadruped" as it was published, with contact flags
of the front legs that stay 0. The others are TeachMyAgent's ``classic_bipedal``,
``small_bipedal``, ``big_quadru``, ``spider``, ``millipede``, ``wheel`` and ``profile_chimpanzee``.
"""
