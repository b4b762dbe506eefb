"""`home-tf diagnose`."""

from pathlib import Path
from typing import Annotated

import typer

from home_tf.cli.console import console, progress_bars, report_written
from home_tf.cli.diagnosis_tables import diagnosis_tables, summary_table
from home_tf.cli.open_run import open_run
from home_tf.cli.options import RunDataOption
from home_tf.errors import HomeError


def diagnose(
    run: Annotated[
        list[Path], typer.Option(help="The folder of the run; repeat it to compare.")
    ],
    data: RunDataOption = None,
    split: Annotated[
        str, typer.Option(help="The split whose rows are read.")
    ] = "validation",
    importance: Annotated[
        bool,
        typer.Option("--importance", help="Measure the columns' importance by task."),
    ] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="With --importance: of which columns, such as user_*; repeat it. "
            "user_*+tab shuffles them together."
        ),
    ] = None,
) -> None:
    """Measure what the experts and gates of a run do."""
    if columns and not importance:
        raise HomeError("`--columns` goes with `--importance`")
    found = [open_run(one) for one in run]
    from home_tf.diagnosis.diagnose_run import diagnose_run

    names = [one.folder.name for one in found]
    if len(set(names)) < len(names):
        names = [str(one.folder) for one in found]
    figures = {}
    for name, one in zip(names, found, strict=True):
        with progress_bars() as progress:
            figures[name] = diagnose_run(
                one,
                data=data,
                split=split,
                importance_of=(columns or ["*"]) if importance else (),
                progress=progress,
            )
    if len(found) == 1:
        for table in diagnosis_tables(figures[names[0]]):
            console.print(table)
    console.print(summary_table(figures))
    for one in found:
        report_written(one.diagnostics_file)
