"""HoME on KuaiRand, end to end: logs to records, training, metrics, export, report.

    python pipelines/kuairand.py                # on generated logs
    python pipelines/kuairand.py --data DIR     # on a KuaiRand download

A second call resumes an interrupted first one.
"""

from pathlib import Path
from typing import Annotated

import typer

from home_tf.cli.diagnose import diagnose
from home_tf.cli.evaluate import evaluate
from home_tf.cli.export import export
from home_tf.cli.prepare import prepare
from home_tf.cli.run_command import run_command
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.cli.train import train
from home_tf.config import peek_framework
from home_tf.lab.cli.generate import generate_kuairand

CONFIG = Path(__file__).with_name("kuairand.yaml")


def pipeline(
    data: Annotated[
        Path | None, typer.Option(help="A KuaiRand download; else generated logs.")
    ] = None,
    config: Annotated[Path, typer.Option(help="The configuration.")] = CONFIG,
) -> None:
    """Prepare, train, measure, export and diagnose HoME."""
    name = "kuairand" if data else "demo"
    run, working = Path("runs") / name, Path("runs") / f"{name}-data"
    start_tensorflow(peek_framework(config))
    from home_tf.config import load_config

    load_config(config)  # a mistake in it is told before anything is written
    if data is None:
        data = working / "logs"
        generate_kuairand(data)
    prepare(config, working / "records", data)
    train(config, working / "records", run)
    evaluate(run)
    export(Path("saved_models") / name, run)
    diagnose([run])


if __name__ == "__main__":
    run_command(lambda: typer.run(pipeline))
