"""Pictures of a run, drawn from its folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from teachenv.errors import UserError
from teachenv.experiments.lesson_view import LessonView, load_lessons
from teachenv.experiments.plot_data import RunView, load_run
from teachenv.experiments.store import read_header

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["animate_run", "draw", "draw_lessons", "load_lessons", "load_run", "plot_run"]

DPI = 200


def draw(view: RunView) -> dict[str, Figure]:
    """Return the figures of a run by name, with Matplotlib's state left as it was.

    ``curriculum``, ``competence`` and ``progress``; with three or more task parameters also
    ``pairs``.
    """
    from teachenv.experiments.plot_competence import competence_figure
    from teachenv.experiments.plot_curriculum import curriculum_figure, pairs_figure
    from teachenv.experiments.plot_progress import progress_figure
    from teachenv.experiments.plot_style import style

    with style():
        figures = {"curriculum": curriculum_figure(view)}
        if view.space.dim > 2:
            figures["pairs"] = pairs_figure(view)
        figures["competence"] = competence_figure(view)
        figures["progress"] = progress_figure(view)
    return figures


def draw_lessons(view: LessonView) -> dict[str, Figure]:
    """Return the figures of a data-generation run by name, Matplotlib's state left as it was.

    ``allocation``, ``skills``, ``tree`` and ``gain``.
    """
    from teachenv.experiments.plot_lessons import allocation_figure, skills_figure
    from teachenv.experiments.plot_skill_tree import gain_figure, tree_figure
    from teachenv.experiments.plot_style import style

    with style():
        return {
            "allocation": allocation_figure(view),
            "skills": skills_figure(view),
            "tree": tree_figure(view),
            "gain": gain_figure(view),
        }


def plot_run(folder: str | Path, out: str | Path | None = None) -> list[Path]:
    """Write the pictures of a run as PNG.

    Args:
        folder: A run folder; the run may still be going on.
        out: Folder for the pictures, made if needed; ``<folder>/plots`` if left out.

    Returns:
        The files written.

    Raises:
        StoreError: if ``folder`` is not a run folder, or a file in it is damaged.
    """
    from teachenv.experiments.plot_style import style

    data = read_header(Path(folder)).data is not None
    figures = draw_lessons(load_lessons(folder)) if data else draw(load_run(folder))
    target = _target(folder, out)
    paths = []
    with style():
        for name, figure in figures.items():
            paths.append(target / f"{name}.png")
            figure.savefig(paths[-1], dpi=DPI)
    return paths


def animate_run(
    folder: str | Path, out: str | Path | None = None, fmt: Literal["gif", "mp4"] = "gif"
) -> Path:
    """Write the developing curriculum as an animation.

    Args:
        folder: A run folder.
        out: Folder for the animation, made if needed; ``<folder>/plots`` if left out.
        fmt: "gif", or "mp4" (needs the ``render`` extra).

    Returns:
        The file written, ``curriculum.gif`` or ``curriculum.mp4``.

    Raises:
        StoreError: if ``folder`` is not a run folder, or a file in it is damaged.
        UserError: if it has no finished episodes, or ``fmt`` is unknown.
    """
    from teachenv.experiments.plot_animation import N_FRAMES, animation_frames
    from teachenv.experiments.video import write_video

    if fmt not in ("gif", "mp4"):
        raise UserError(f"fmt: expected 'gif' or 'mp4', got {fmt!r}")
    view = load_run(folder)
    if not len(view.tasks):
        raise UserError(f"{folder}: no finished episodes yet, nothing to animate")
    path = _target(folder, out) / f"curriculum.{fmt}"
    write_video(animation_frames(view), path, fps=N_FRAMES / 9)
    return path


def _target(folder: str | Path, out: str | Path | None) -> Path:
    target = Path(folder) / "plots" if out is None else Path(out)
    target.mkdir(parents=True, exist_ok=True)
    return target
