"""`home-tf train`."""

from typing import Annotated, Literal

import typer

from home_tf.cli.console import console, report_written
from home_tf.cli.options import ConfigOption, DataOption, RunOption
from home_tf.cli.start_tensorflow import split_operations, start_tensorflow
from home_tf.cluster import Cluster


def train(
    config: ConfigOption,
    data: DataOption,
    out: RunOption,
    framework: Annotated[
        Literal["tfrs", "keras"] | None,
        typer.Option(help="Legacy Keras (tfrs) or Keras 3, instead of the file's."),
    ] = None,
    select_by: Annotated[
        Literal["auc", "gauc"] | None,
        typer.Option(help="What picks the best epoch, instead of the file's."),
    ] = None,
    strategy: Annotated[
        Literal["auto", "mirrored", "multi_worker"] | None,
        typer.Option(help="How several devices train, instead of the file's."),
    ] = None,
    data_service: Annotated[
        str | None,
        typer.Option(help="Address of a tf.data service, instead of the file's."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the rows, instead of the file's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights and order, instead of the file's.")
    ] = None,
) -> None:
    """Train a model; resume an interrupted training, or extend one by more epochs."""
    from home_tf.config import peek_framework

    start_tensorflow(framework or peek_framework(config))
    from home_tf.config import load_config

    given = {
        "framework": framework,
        "strategy": strategy,
        "data_service": data_service,
        "select_by": select_by,
        "epochs": epochs,
        "seed": seed,
    }
    overrides = {f"training.{k}": v for k, v in given.items() if v is not None}
    loaded = load_config(config, overrides)
    if loaded.training.jit_compile:
        split_operations()
    from home_tf.training import train as train_run

    run = train_run(loaded, data, out, console=console)
    if Cluster.from_environment().is_chief:
        report_written(run.folder)
