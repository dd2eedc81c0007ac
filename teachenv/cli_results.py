"""The command line of results: ``teachenv export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teachenv.cli_text import say
from teachenv.errors import UserError


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
