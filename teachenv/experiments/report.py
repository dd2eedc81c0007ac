"""Reports of studies: one page that holds everything, and its figures as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from teachenv.experiments.report_contents import read_contents
from teachenv.experiments.report_reference import write_reference
from teachenv.experiments.report_verdict import Score

__all__ = ["Written", "write_report"]

PAGE = "report.html"


@dataclass(frozen=True)
class Written:
    """A report that was written.

    Attributes:
        page: The page.
        sentence: What it comes to.
    """

    page: Path
    sentence: str


def write_report(
    studies: Sequence[Path],
    out: Path,
    *,
    reference: Path | None = None,
    save_reference: bool = False,
    score: Score = "share_mastered",
    animations: bool = True,
    listener: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write the report of a study, or of two that are compared.

    Args:
        studies: One or two study folders; they may still be going on.
        out: Folder for ``report.html`` and ``figures/``, made if needed; files of the same names
            are replaced.
        reference: A folder with results from earlier; see
            :mod:`teachenv.experiments.report_reference`.
        save_reference: Whether to write ``reference.json``, to be used as such later.
        score: What teachers are judged by: choose before looking at results.
        animations: Whether to draw curricula moving, which takes longest.
        listener: Is told what is being done.

    Returns:
        Where the page is, and its first sentence.

    Raises:
        UserError: if a folder is not a study, is damaged, or nothing in it has finished.
    """
    from teachenv.experiments.plot_style import style
    from teachenv.experiments.report_page import make_page
    from teachenv.experiments.report_pictures import Pictures

    listener("reading runs")
    told = read_contents(studies, reference, score)
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    with style():
        text = make_page(told, Pictures(told, figures, listener), animations)
    (out / PAGE).write_text(text)
    if save_reference:
        write_reference(out, [entry for study in told.studies for entry in study.entries])
    return Written(out / PAGE, told.judged.sentence)
