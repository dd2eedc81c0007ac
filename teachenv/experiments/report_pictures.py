"""The pictures of a report: drawn, written as files, and returned as parts of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from teachenv.errors import UserError
from teachenv.experiments import report_html as html
from teachenv.experiments.curves import Band, Height, learning_curve, profile
from teachenv.experiments.lesson_view import load_lessons
from teachenv.experiments.plot_curriculum import curriculum_figure
from teachenv.experiments.plot_data import load_run
from teachenv.experiments.plot_lessons import allocation_figure
from teachenv.experiments.plot_study import (
    N_TOGETHER,
    curves_figure,
    looks,
    profiles_figure,
    standings_figure,
)
from teachenv.experiments.plot_study_files import animation, outline_points, save_figure
from teachenv.experiments.plot_study_tasks import competence_figure
from teachenv.experiments.report_cells import Group
from teachenv.experiments.report_contents import Contents
from teachenv.experiments.report_verdict import WORDS, Score, final
from teachenv.experiments.statistics import Table
from teachenv.experiments.verdict import Verdict

N_THRESHOLDS = 101
_INTERVALS = ", with 95 % intervals over seeds"


class Pictures:
    """Draws what a report tells.

    Args:
        told: What it tells.
        folder: Folder for the figures.
        listener: Is told what is being drawn.
    """

    def __init__(self, told: Contents, folder: Path, listener: Callable[[str], None]) -> None:
        self._told, self._folder, self._listener = told, folder, listener
        self._looks = looks(told.teachers)

    def standings(self, verdict: Verdict) -> str:
        """Return how the teachers end up."""
        several = verdict.n_seeds > 1
        label = f"{WORDS[self._told.judged.score]} at the end of training (%)"
        drawing = self._save(
            standings_figure(verdict.standings, label, self._looks, several), "standings"
        )
        caption = "Mean (point) and interquartile mean (tick)" + _INTERVALS * several
        return html.figure(drawing, caption)

    def curves(self, group: Group) -> str:
        """Return learning curves; nothing if there was only one evaluation."""
        several = min(len(group.of(name)) for name in group.teachers(self._told.teachers)) > 1
        heights: tuple[Height, ...] = ("share_mastered", "mean_score")
        drawn, wide = [], False
        for height in heights:
            bands = self._bands(group, height)
            if not any(len(band.x) > 1 for band in bands.values()):
                continue
            text = height.replace("_", " ")
            steps = "training samples" if group.world.lessons else "environment steps"
            caption = f"{text.capitalize()} on {group.test_set}, mean"
            title = f"{group.name}: {text} on {group.test_set}"
            figure = curves_figure(bands, text, self._looks, several, steps, title)
            drawing = self._save(figure, f"curves-{height}-{group.name}")
            wide = len(bands) > N_TOGETHER
            drawn.append(html.figure(drawing, caption + _INTERVALS * several, wide))
        return "".join(drawn) if wide else html.row(drawn) if drawn else ""

    def competence(self, group: Group) -> str:
        """Return the scores on every test task, by teacher."""
        tasks = group.world.test_tasks[group.test_set]
        names = group.teachers(self._told.teachers)
        returns = {
            name: np.array([run.returns[group.test_set] for run in group.of(name)])
            for name in names
        }
        means = [group.world.score(mine).mean(axis=0) for mine in returns.values()]
        order = np.argsort(-np.mean(means, axis=0), kind="stable")
        drawn = []
        for name in names:
            figure = competence_figure(name, group, tasks, returns[name], order)
            drawing = self._save(figure, f"competence-{group.name}-{name}")
            n_seeds = len(returns[name])
            drawn.append(html.figure(drawing, f"{n_seeds} seed{'s' * (n_seeds != 1)}"))
        return html.row(drawn, small=True)

    def profiles(self) -> str:
        """Return the performance profiles of the teachers that were judged."""
        judged, limits = self._told.judged, np.linspace(0.0, 1.0, N_THRESHOLDS)
        several, wide, drawn = len(judged.seeds) > 1, False, []
        for score, text in WORDS.items():
            bands = {name: profile(self._table(name, score), limits) for name in judged.tables}
            caption = f"Share of runs whose {text} at the end is above a value"
            figure = profiles_figure(bands, text, self._looks, several, caption)
            drawing = self._save(figure, f"profiles-{score}")
            wide = len(bands) > N_TOGETHER
            drawn.append(html.figure(drawing, caption + _INTERVALS * several, wide))
        return "".join(drawn) if wide else html.row(drawn)

    def curricula(self, group: Group, animations: bool) -> Iterator[str]:
        """Yield what each teacher taught in the run of its first seed."""
        for teacher in group.teachers(self._told.teachers):
            run = self._told.first_run(group, teacher)
            if run is not None:
                parts = self._curriculum(group, teacher, run, animations)
                yield html.folded(teacher, *parts, shown=True)

    def _curriculum(self, group: Group, teacher: str, run: Path, animations: bool) -> Iterator[str]:
        name = f"curriculum-{group.name}-{teacher}"
        if group.world.lessons:
            lessons = load_lessons(run)
            yield html.figure(
                self._save(allocation_figure(lessons), name), lessons.title, wide=True
            )
            return
        view = load_run(run)
        figure = curriculum_figure(view)
        outline_points(figure)
        yield html.figure(self._save(figure, name), view.title, wide=True)
        if animations and len(view.tasks):
            self._listener(f"animating {name}")
            address = animation(view)
            if address is None:
                yield html.paragraph("Its animation is too large for this page.", "note")
            else:
                yield html.moving(address, f"{teacher}, moving")

    def _table(self, teacher: str, score: Score) -> Table:
        """Return a teacher's final scores in what was judged, shape ``(n_groups, n_seeds)``."""
        judged = self._told.judged
        return np.array(
            [
                [
                    final(run, group.test_set, score)
                    for run in group.of(teacher)
                    if run.seed in judged.seeds
                ]
                for group in self._told.groups
                if group.name in judged.groups
            ]
        )

    def _bands(self, group: Group, height: Height) -> dict[str, Band]:
        bands = {}
        for name in group.teachers(self._told.teachers):
            curves = [run.metrics.test_sets[group.test_set].curve for run in group.of(name)]
            try:
                bands[name] = learning_curve(curves, height)
            except UserError:  # evaluated at no step in common
                continue
        return bands

    def _save(self, figure: Figure, name: str) -> str:
        name = re.sub(r"[^\w.=-]+", "-", name)
        self._listener(f"drawing {name}")
        return save_figure(figure, self._folder, name)
