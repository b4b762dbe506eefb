"""HoME on KuaiRand, end to end: logs to records, training, metrics, SavedModel.

    python pipelines/kuairand.py                # on generated logs
    python pipelines/kuairand.py --data DIR     # on a KuaiRand download

A second call goes on where the first one stopped.
"""

from pathlib import Path
from typing import Annotated

import typer

from home_tf import cli
from home_tf.config import load_config

CONFIG = Path(__file__).with_name("kuairand.yaml")


def pipeline(
    data: Annotated[
        Path | None, typer.Option(help="A KuaiRand download; else generated logs.")
    ] = None,
    config: Annotated[Path, typer.Option(help="The configuration.")] = CONFIG,
) -> None:
    """Prepare, train, measure and export HoME."""
    name = "kuairand" if data else "demo"
    run, working = Path("runs") / name, Path("runs") / f"{name}-data"
    cli.start_tensorflow(load_config(config).training.framework)
    if data is None:
        data = working / "logs"
        cli.generate_kuairand(data)
    cli.prepare_kuairand(data, working / "records")
    cli.train(config, working / "records", run)
    cli.evaluate(run)
    cli.export(Path("saved_models") / name, run)


if __name__ == "__main__":
    cli.run_command(lambda: typer.run(pipeline))
