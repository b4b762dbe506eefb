"""`home-tf evaluate`."""

from typing import Annotated

import typer

from home_tf.cli.console import console, report_written
from home_tf.cli.metrics_table import errors_table, metrics_table
from home_tf.cli.open_run import open_run
from home_tf.cli.options import RunDataOption, RunOption


def evaluate(
    run: RunOption,
    data: RunDataOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="A split, such as test; repeat for several. Default: validation "
            "and test."
        ),
    ] = None,
) -> None:
    """Evaluate the best checkpoint of a run."""
    found = open_run(run)
    from home_tf.training import evaluate_run

    metrics = evaluate_run(found, data=data, splits=split or None)
    for name in [n for n, of_split in metrics.items() if isinstance(of_split, dict)]:
        for make in (metrics_table, errors_table):
            table = make(metrics[name], title=name)
            if table is not None:
                console.print(table)
    method = metrics["calibration_method"]
    if method != "none":
        console.print(f"calibrated as in an export: serving.calibration is {method}")
    report_written(found.metrics_file)
