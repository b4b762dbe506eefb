"""`home-tf diagnose`."""

from typing import Annotated

import typer

from home_tf.cli.console import console, progress_bars, report_written
from home_tf.cli.diagnosis_tables import (
    importance_table,
    summary_table,
    verdict_table,
)
from home_tf.cli.open_run import open_run
from home_tf.cli.options import OptionPath, RunDataOption, path_option
from home_tf.errors import HomeError


def diagnose(
    run: Annotated[
        list[OptionPath],
        path_option(help="The folder of the run; repeat to compare several."),
    ],
    data: RunDataOption = None,
    split: Annotated[
        str, typer.Option(help="The split to read rows from.")
    ] = "validation",
    importance: Annotated[
        bool,
        typer.Option(
            "--importance", help="Measure the importance of every feature by task."
        ),
    ] = False,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure only these features, such as user_*; repeat for several. "
            "user_*+tab shuffles them together."
        ),
    ] = None,
    out: Annotated[
        OptionPath | None,
        path_option(help="With several runs: the folder of the report on all of them."),
    ] = None,
) -> None:
    """Find anomalies in the experts and gates of a run, and write a report."""
    if (out is not None) != (len(run) > 1):
        raise HomeError(
            "`--out` is the folder of a report that compares several runs: it is "
            "required with several `--run`, and not allowed with one"
        )
    if len({one.resolve() for one in run}) < len(run):
        raise HomeError("`--run` names the same run twice. Name each run once")
    found = [open_run(one) for one in run]
    from home_tf.diagnosis.diagnose_run import diagnose_run
    from home_tf.diagnosis.save_report import save_report  # its extra may be missing

    names = [one.folder.resolve().name for one in found]
    if len(set(names)) < len(names):
        names = [str(one.folder) for one in found]
    diagnoses = {}
    for name, one in zip(names, found, strict=True):
        with progress_bars() as progress:
            diagnoses[name] = diagnose_run(
                one,
                data=data,
                split=split,
                importance_of=features or (["*"] if importance else ()),
                progress=progress,
            )
        save_report({name: diagnoses[name]}, one.diagnosis)
    if out is not None:
        save_report(diagnoses, out)
    console.print(summary_table(diagnoses))
    for diagnosis in diagnoses.values():
        if "importance" in diagnosis:
            console.print(importance_table(diagnosis["importance"]))
    console.print(verdict_table(diagnoses))
    for folder in [one.diagnosis for one in found] if out is None else [out]:
        report_written(folder / "report.html")
