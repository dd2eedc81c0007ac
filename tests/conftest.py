"""Settings for every test: the checkout is importable, and numeric libraries use one thread."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
# Worker processes and subprocesses find the packages and the test helpers as pytest does.
paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
sys.path[:0] = [path for path in paths[:2] if path not in sys.path]

from bars import bar, pytest_terminal_summary  # noqa: E402, F401  (the path is set above)
