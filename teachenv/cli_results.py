"""The command line of results: ``teachenv report | export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from teachenv.cli_text import console, say
from teachenv.errors import UserError


def report(
    studies: Annotated[
        list[Path], typer.Argument(metavar="STUDY [STUDY2]", help="A study's folder, or two.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to. Default: report in the (last) study's folder."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="Folder with results from earlier to judge the teachers against."),
    ] = None,
    save_reference: Annotated[
        bool, typer.Option("--save-reference", help="Also write results for --reference.")
    ] = False,
    score: Annotated[
        Literal["share_mastered", "mean_score"],
        typer.Option(help="What teachers are judged by; choose before looking at results."),
    ] = "share_mastered",
    animations: Annotated[
        bool, typer.Option(help="Draw curricula moving, which takes longest.")
    ] = True,
) -> None:
    """Tell what a study came to, or compare two: one page, and its figures as files."""
    from teachenv.experiments.report import write_report

    with console.status("reading runs") as status:
        written = write_report(
            studies,
            out or studies[-1] / "report",
            reference=reference,
            save_reference=save_reference,
            score=score,
            animations=animations,
            listener=status.update,
        )
    say(written.sentence)
    say(str(written.page))


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN_OR_STUDY", help="A run, a study, or a folder of runs.")
    ],
    csv: Annotated[bool, typer.Option("--csv", help="Tables of text.")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables with types.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Event files of scalars, one per run.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to. Default: export in the folder.")
    ] = None,
) -> None:
    """Write runs for other tools: CSV, Parquet, TensorBoard."""
    from teachenv.experiments.export import Kind
    from teachenv.experiments.export import export as write

    wanted: dict[Kind, bool] = {"csv": csv, "parquet": parquet, "tensorboard": tensorboard}
    kinds = [kind for kind, said in wanted.items() if said]
    if not kinds:
        raise UserError("export: say --csv, --parquet or --tensorboard; several may be said")
    for kind in kinds:
        for path in write(folder, kind, out or folder / "export"):
            say(str(path))
