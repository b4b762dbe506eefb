"""`home-tf compare`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from home_tf.cli.console import console, report_written, say_if_interrupted
from home_tf.cli.options import local_option
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.errors import HomeError
from home_tf.extras import require_extra
from home_tf.lab.cli.find_source import find_source

# Enough steps on tens of thousands of rows to beat ranking by a single feature.
_QUICK_TRAINING = {"training.epochs": 4, "training.batch_size": 128}


def compare(
    config: Annotated[Path, local_option(help="The YAML configuration.")],
    out: Annotated[Path, local_option(help="The folder of the comparison.")],
    source: Annotated[
        Path | None,
        local_option(help="The folder of the log files, if not the configuration's."),
    ] = None,
    architectures: Annotated[
        str, typer.Option(help="Names separated by commas; home is always included.")
    ] = "plain",
    changes: Annotated[
        Path | None,
        local_option(help="A YAML file of named changes to the configuration."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds; default 5, 1 with --quick."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of folds; default 3, 1 with --quick or a split by column.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=0, help="Tuning trials per model; default 8, none with --quick."
        ),
    ] = None,
    tuning_seeds: Annotated[
        int, typer.Option(min=1, help="Trainings per trial, which are averaged.")
    ] = 3,
    budget: Annotated[
        Literal["paper", "same-params", "same-flops"],
        typer.Option(help="What the networks must have in common."),
    ] = "same-params",
    select_by: Annotated[
        Literal["auc", "gauc"],
        typer.Option(help="Metric that selects epochs and trials."),
    ] = "auc",
    jobs: Annotated[int, typer.Option(min=1, help="Parallel processes.")] = 1,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="One seed, one fold, four epochs, no tuning."),
    ] = False,
) -> None:
    """Compare HoME with other models on your data; resumes if interrupted."""
    start_tensorflow("keras")
    from home_tf.config import load_config, read_yaml

    loaded = load_config(config, _QUICK_TRAINING if quick else None)
    require_extra("compare", "lightgbm", "matplotlib", "optuna")
    from home_tf.lab.comparison import check_changes, compared_models
    from home_tf.lab.comparison import compare as run_comparison

    names = architectures.split(",")
    found = {} if changes is None else read_yaml(changes)
    # Errors are reported before logs are generated.
    check_changes(loaded, found)
    compared_models(names, found)
    generate = partial(_generate_logs, out) if quick else None
    source = find_source(config, loaded, source, generate)
    kept = f"{out} has what is finished. Run the same command again to resume"
    with say_if_interrupted(kept):
        missing = run_comparison(
            loaded,
            source,
            out,
            architectures=names,
            changes=found,
            seeds=_default(seeds, 1 if quick else 5),
            folds=1 if quick and folds is None else folds,
            trials=_default(trials, 0 if quick else 8),
            tuning_seeds=tuning_seeds,
            budget=budget,
            metric=select_by,
            jobs=jobs,
            say=lambda line: console.print(line, soft_wrap=True, markup=False),
        )
    report_written(out / "table.md")
    if missing:
        raise HomeError(
            f"{len(missing)} trainings have no result (see {out / 'table.md'}). Run "
            "the same command again to retry them"
        )


def _default(given: int | None, usual: int) -> int:
    return usual if given is None else given


def _generate_logs(out: Path) -> Path:
    from home_tf.lab.synthetic import generate

    logs = out.with_name(f"{out.name}-logs")
    if not logs.is_dir():
        generate(logs, users=1000, videos=500, days=5, rows=20_000)
        report_written(logs)
    return logs
