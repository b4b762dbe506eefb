"""`home-tf compare`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from home_tf.cli.console import console, report_written, say_if_interrupted
from home_tf.cli.options import ConfigOption
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.errors import HomeError
from home_tf.extras import require_extra

_USUAL = {"seeds": 5, "folds": 3, "trials": 8}
_QUICK = {"seeds": 1, "folds": 1, "trials": 0}
# Enough steps on the generated logs to learn more than what is popular.
_QUICK_TRAINING = {"training.epochs": 4, "training.batch_size": 128}


def compare(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="The folder of the comparison.")],
    data: Annotated[
        Path | None, typer.Option(help="The folder of the logs; --quick makes some.")
    ] = None,
    architectures: Annotated[
        str, typer.Option(help="Names with commas between; home is always there.")
    ] = "plain",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds: 5; with --quick 1.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=1, help="Number of test days: 3; with --quick 1.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=0, help="Trials of tuning, for each one: 8; with --quick none."
        ),
    ] = None,
    tuning_seeds: Annotated[
        int, typer.Option(min=1, help="Trainings of each trial, which are averaged.")
    ] = 3,
    budget: Annotated[
        Literal["paper", "same-params", "same-flops"],
        typer.Option(help="What the networks have in common."),
    ] = "same-params",
    select_by: Annotated[
        Literal["auc", "gauc"], typer.Option(help="What picks epochs and trials.")
    ] = "auc",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 1,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="One seed, one fold, no tuning; makes logs."),
    ] = False,
) -> None:
    """Compare architectures; finished cells are kept."""
    start_tensorflow("keras")
    from home_tf.config import load_config

    loaded = load_config(config, _QUICK_TRAINING if quick else None)
    require_extra("compare", "lightgbm", "matplotlib", "optuna")
    from home_tf.lab.comparison import compare as run_comparison
    from home_tf.lab.comparison import contenders

    names = architectures.split(",")
    contenders(names)  # tells an unknown one before logs are generated
    numbers = {"seeds": seeds, "folds": folds, "trials": trials}
    usual = _QUICK if quick else _USUAL
    if data is None:
        data = _quick_logs(out, quick)
    kept = f"{out} has what is finished. Run the same command again to go on"
    with say_if_interrupted(kept):
        missing = run_comparison(
            loaded,
            data,
            out,
            architectures=names,
            **{k: usual[k] if v is None else v for k, v in numbers.items()},
            tuning_seeds=tuning_seeds,
            budget=budget,
            metric=select_by,
            jobs=jobs,
            say=lambda line: console.print(line, soft_wrap=True, markup=False),
        )
    report_written(out / "table.md")
    if missing:
        raise HomeError(
            f"{len(missing)} cells have no result (see {out / 'table.md'}). Run the "
            "same command again to try them again"
        )


def _quick_logs(out: Path, quick: bool) -> Path:
    if not quick:
        raise HomeError("`--data` is required, or `--quick`, which generates logs")
    from home_tf.lab.synthetic import generate

    logs = out.with_name(f"{out.name}-logs")
    if not logs.is_dir():
        generate(logs, users=1000, videos=500, days=5, rows=20_000)
    return logs
