"""`home-tf diagnose`."""

from typing import Annotated

import typer

from home_tf.cli.console import console, progress_bars, report_written
from home_tf.cli.diagnosis_tables import diagnosis_tables
from home_tf.cli.open_run import open_run
from home_tf.cli.options import RunDataOption, RunOption


def diagnose(
    run: RunOption,
    data: RunDataOption = None,
    split: Annotated[
        str, typer.Option(help="The split whose rows are read.")
    ] = "validation",
) -> None:
    """Measure what the experts and gates of a run do."""
    found = open_run(run)
    from home_tf.diagnosis.diagnose_run import diagnose_run

    with progress_bars() as progress:
        figures = diagnose_run(found, data=data, split=split, progress=progress)
    for table in diagnosis_tables(figures):
        console.print(table)
    report_written(found.diagnostics_file)
