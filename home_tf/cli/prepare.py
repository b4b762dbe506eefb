"""`home-tf prepare`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from home_tf.cli.console import (
    console,
    progress_bars,
    report_written,
    say_if_interrupted,
)
from home_tf.cli.options import ConfigOption
from home_tf.cli.start_tensorflow import start_tensorflow


def prepare(
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="The dataset directory to write.")],
    source: Annotated[
        Path | None,
        typer.Option(help="The folder of the files, instead of the file's."),
    ] = None,
    layout: Annotated[
        Literal["packed", "rows"], typer.Option(help="Blocks (fast) or single rows.")
    ] = "packed",
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the records.")] = False,
    shards: Annotated[int, typer.Option(help="Number of files of each split.")] = 8,
    memory: Annotated[
        str, typer.Option(help="The most memory of the database.")
    ] = "4GB",
    seed: Annotated[int, typer.Option(help="Seed of the rows' order.")] = 0,
) -> None:
    """Turn logs into TFRecords, as the section `data` says."""
    from home_tf.config import peek_framework

    start_tensorflow(peek_framework(config))
    from home_tf.prepare import prepare as prepare_data

    nothing = f"{out} is as it was. Run the same command again"
    with say_if_interrupted(nothing), progress_bars() as progress:
        schema = prepare_data(
            source,
            config,
            out,
            layout=layout,
            compression="GZIP" if gzip else None,
            shards=shards,
            memory=memory,
            seed=seed,
            progress=progress,
            on_warning=lambda line: console.print(f"warning: {line}", soft_wrap=True),
        )
    rows = "  ".join(f"{name} {split.rows:,}" for name, split in schema.splits.items())
    console.print(f"rows: {rows}")
    report_written(out)
