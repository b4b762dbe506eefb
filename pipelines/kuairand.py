"""HoME on KuaiRand, end to end: logs to records, training, metrics, export, report.

    python pipelines/kuairand.py                  # on generated logs
    python pipelines/kuairand.py --source DIR     # on a KuaiRand download
    python pipelines/kuairand.py --config FILE    # on the data that it names

A second call resumes an interrupted first one.
"""

from pathlib import Path
from typing import Annotated

import typer

from home_tf.cli.diagnose import diagnose
from home_tf.cli.evaluate import evaluate
from home_tf.cli.export import export
from home_tf.cli.options import SourceOption
from home_tf.cli.prepare import prepare
from home_tf.cli.run_command import run_command
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.cli.train import train
from home_tf.config import peek_framework
from home_tf.lab.cli.find_source import find_source
from home_tf.lab.cli.generate import generate_kuairand

CONFIG = Path(__file__).with_name("kuairand.yaml")
GENERATED = Path("runs/demo-data/logs")


def pipeline(
    source: SourceOption = None,
    config: Annotated[Path, typer.Option(help="The configuration.")] = CONFIG,
) -> None:
    """Prepare, train, measure, export and diagnose HoME."""
    start_tensorflow(peek_framework(config))
    from home_tf.config import load_config

    # A mistake in the configuration is reported before anything is written.
    source = find_source(config, load_config(config), source, generate_logs)
    name = "demo" if source == GENERATED else config.stem
    run, records = Path("runs") / name, Path("runs") / f"{name}-data" / "records"
    prepare(config, records, source)
    train(config=config, data=records, out=run)
    evaluate(run)
    export(Path("saved_models") / name, run)
    diagnose([run])


def generate_logs() -> Path:
    """Generates the logs of the demo."""
    generate_kuairand(GENERATED)
    return GENERATED


if __name__ == "__main__":
    run_command(lambda: typer.run(pipeline))
