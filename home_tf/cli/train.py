"""`home-tf train`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from home_tf.cli.console import (
    console,
    progress_bars,
    report_written,
    say_if_interrupted,
)
from home_tf.cli.options import (
    ConfigOption,
    OptionPath,
    RunOption,
    SourceOption,
    path_option,
)
from home_tf.cli.start_tensorflow import split_operations, start_tensorflow
from home_tf.cluster import Cluster
from home_tf.errors import HomeError
from home_tf.files import AnyPath, require_local

if TYPE_CHECKING:
    from home_tf.config import Config


def train(
    config: ConfigOption,
    out: RunOption,
    data: Annotated[
        OptionPath | None, path_option(help="The dataset directory.")
    ] = None,
    start_from: Annotated[
        OptionPath | None,
        path_option("--from", help="An earlier run whose weights to start from."),
    ] = None,
    new_statistics: Annotated[
        bool,
        typer.Option(
            "--new-statistics", help="With --from: normalise by the new rows."
        ),
    ] = False,
    progressive: Annotated[
        bool,
        typer.Option(
            "--progressive", help="Test on each day of --source, then train on it."
        ),
    ] = False,
    source: SourceOption = None,
    start_days: Annotated[
        int | None,
        typer.Option(help="With --progressive: days before the first test; default 1."),
    ] = None,
    framework: Annotated[
        Literal["tfrs", "keras"] | None,
        typer.Option(help="Legacy Keras (tfrs) or Keras 3; overrides the file."),
    ] = None,
    select_by: Annotated[
        Literal["auc", "gauc"] | None,
        typer.Option(help="Metric that selects the best epoch; overrides the file."),
    ] = None,
    strategy: Annotated[
        Literal["auto", "mirrored", "multi_worker"] | None,
        typer.Option(help="Distribution strategy; overrides the file."),
    ] = None,
    data_service: Annotated[
        str | None,
        typer.Option(help="Address of a tf.data service; overrides the file."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Number of epochs; overrides the file.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of weights and order; overrides the file.")
    ] = None,
) -> None:
    """Train a model, resume an interrupted training, or extend one by more epochs."""
    if progressive:
        others = {"--data": data, "--from": start_from, "--epochs": epochs}
        _refuse_with_progressive({**others, "--new-statistics": new_statistics or None})
    else:
        _check_without_progressive(data, source, start_days)
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
    if progressive:
        _train_by_day(config, loaded, source, out, start_days or 1)
        return
    from home_tf.training import train as train_run

    assert data is not None  # checked above
    run = train_run(
        loaded,
        data,
        out,
        start_from=start_from,
        new_statistics=new_statistics,
        console=console,
    )
    if Cluster.from_environment().is_chief:
        report_written(run.folder)


def _refuse_with_progressive(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise HomeError(
                f"`{name}` cannot be combined with `--progressive`, which prepares the "
                "days of `--source` itself and trains on each row once"
            )


def _check_without_progressive(
    data: AnyPath | None, source: AnyPath | None, start_days: int | None
) -> None:
    if data is None:
        raise HomeError("`train` needs --data, or --progressive with --source")
    if source is not None or start_days is not None:
        raise HomeError("`--source` and `--start-days` require `--progressive`")


def _train_by_day(
    config_file: AnyPath,
    config: "Config",
    source: AnyPath | None,
    out: AnyPath,
    start_days: int,
) -> None:
    from home_tf.files import join_path
    from home_tf.progressive import train_by_day

    folder = config.data.folder if config.data else "."
    target = require_local(out, "--out")
    kept = f"{out} has the days that are measured. Run the same command again to resume"
    with say_if_interrupted(kept), progress_bars() as progress:
        train_by_day(
            config,
            join_path(config_file.parent, folder) if source is None else source,
            target,
            start_days=start_days,
            say=lambda line: console.print(line, soft_wrap=True),
            progress=progress,
        )
    for name in ("days.csv", "days.png"):
        report_written(target / name)
