"""`home-tf export`."""

from typing import Annotated, Literal

import typer

from home_tf.cli.console import console, report_written, say_if_interrupted
from home_tf.cli.open_run import open_run
from home_tf.cli.options import OptionPath, RunDataOption, path_option
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.errors import HomeError
from home_tf.files import AnyPath


def export(
    out: Annotated[
        OptionPath, path_option(help="The model's folder, which holds its versions.")
    ],
    run: Annotated[
        OptionPath | None,
        path_option(help="The folder of the run to export; not with --rollback."),
    ] = None,
    data: RunDataOption = None,
    keep: Annotated[int, typer.Option(help="How many versions to keep.")] = 5,
    tables: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(help="Data type in which embedding tables are stored."),
    ] = "float32",
    max_auc_loss: Annotated[
        float | None,
        typer.Option(
            help="Largest loss of AUC that a task may suffer from quantised tables; "
            "default 0.001."
        ),
    ] = None,
    score_weights: Annotated[
        str | None,
        typer.Option(
            help="Weights of the combined score, instead of the configuration's.",
            metavar="TASK=WEIGHT,...",
        ),
    ] = None,
    calibration: Annotated[
        Literal["none", "platt", "isotonic"] | None,
        typer.Option(help="Calibrate probabilities on the validation rows."),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Withdraw the current version instead.")
    ] = False,
    context: typer.Context = None,  # type: ignore[assignment]  # not from Python
) -> None:
    """Export a run as a SavedModel for TF Serving, or roll back to the last version."""
    if rollback:
        if context is not None:
            _refuse_other_options(context, "out", "rollback")
        _roll_back(out)
        return
    if run is None:
        raise HomeError(
            "`export` needs --run RUN to export, or --rollback to go back to the "
            "version before"
        )
    weights = None if score_weights is None else _parse_weights(score_weights)
    found = open_run(run)
    from home_tf.export import export_run

    with say_if_interrupted(f"{out} is as it was. Run the same command again"):
        version = export_run(
            found,
            out,
            data=data,
            keep=keep,
            tables=tables,
            max_auc_loss=max_auc_loss,
            score_weights=weights,
            calibration=calibration,
            on_check=_report_check,
            on_auc_changes=_report_auc_changes,
        )
    report_written(version)


def _refuse_other_options(context: typer.Context, *allowed: str) -> None:
    """Refuses the command-line options that a rollback would ignore."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name != "DEFAULT":
            raise HomeError(
                f"`--{name.replace('_', '-')}` cannot be combined with `--rollback`, "
                "which takes only `--out`"
            )


def _parse_weights(text: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {task.strip(): float(weight) for task, weight in pairs}
    except ValueError:
        raise HomeError(
            "`--score-weights` must look like is_click=1,is_like=0.5. Received: "
            f"{text!r}"
        ) from None


def _roll_back(out: AnyPath) -> None:
    start_tensorflow("keras")
    from home_tf.export import Versions

    withdrawn, current = Versions(out).roll_back()
    console.print(
        f"{out}: version {withdrawn} is withdrawn, {current} is current again",
        soft_wrap=True,
    )


def _report_auc_changes(changes: dict[str, float | None]) -> None:
    console.print("change of AUC on the validation rows by the quantised tables:")
    width = max(map(len, changes))
    for task, change in changes.items():
        shown = "not measured, one class only" if change is None else f"{change:+.5f}"
        console.print(f"  {task:{width}} {shown}")


def _report_check(difference: float) -> None:
    console.print(
        "checked in a process with only TensorFlow: largest difference "
        f"{difference:.1e}",
        soft_wrap=True,
    )
