"""`home-tf tune`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from home_tf.cli.console import (
    console,
    progress_bars,
    report_written,
    say_if_interrupted,
)
from home_tf.cli.options import ConfigOption, DataOption, local_option
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.extras import require_extra


def tune(
    config: ConfigOption,
    data: DataOption,
    out: Annotated[Path, local_option(help="The folder of the search.")],
    space: Annotated[
        Path | None,
        local_option(help="A YAML file of keys with their ranges or choices."),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Number of trials, over all calls together.")
    ] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Trials that run in parallel.")] = 1,
    framework: Annotated[
        Literal["tfrs", "keras"] | None,
        typer.Option(help="Legacy Keras (tfrs) or Keras 3; overrides the file."),
    ] = None,
) -> None:
    """Search for better hyper-parameters; resumes if interrupted."""
    from home_tf.config import peek_framework

    start_tensorflow(framework or peek_framework(config))
    from home_tf.config import load_config, read_yaml

    overrides = {"training.framework": framework} if framework else {}
    loaded = load_config(config, overrides)
    wanted = None if space is None else read_yaml(space)
    require_extra("tune", "matplotlib", "optuna")
    from home_tf.tuning import tune as run_search

    kept = f"{out} has the trials that have ended. Run the same command again to resume"
    with say_if_interrupted(kept), progress_bars() as progress:
        run_search(
            loaded,
            data,
            out,
            space=wanted,
            trials=trials,
            jobs=jobs,
            say=lambda line: console.print(line, markup=False),
            progress=progress,
        )
    for name in ("best.yaml", "trials.csv", "tuning.png"):
        report_written(out / name)
