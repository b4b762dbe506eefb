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
from home_tf.cli.start_tensorflow import start_tensorflow

prepare_app = typer.Typer(no_args_is_help=True, help="Turn logs into TFRecords.")


@prepare_app.command("kuairand")
def prepare_kuairand(
    source: Annotated[Path, typer.Option(help="The folder of the download.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    layout: Annotated[
        Literal["packed", "rows"], typer.Option(help="Blocks (fast) or single rows.")
    ] = "packed",
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the records.")] = False,
    shards: Annotated[int, typer.Option(help="Number of files of each split.")] = 8,
    validation_date: Annotated[
        int | None,
        typer.Option(help="Validation day, such as 20220505; else the last but one."),
    ] = None,
    test_date: Annotated[
        int | None, typer.Option(help="Test day; else the last.")
    ] = None,
    first_date: Annotated[
        int | None,
        typer.Option(help="First training day; earlier days are history only."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the rows' order.")] = 0,
) -> None:
    """Turn a KuaiRand download (Pure, 1K or 27K) into TFRecords."""
    start_tensorflow()
    from home_tf.prepare import prepare

    nothing = f"{out} is as it was. Run the same command again"
    with say_if_interrupted(nothing), progress_bars() as progress:
        schema = prepare(
            source,
            out,
            layout=layout,
            compression="GZIP" if gzip else None,
            shards=shards,
            validation_date=validation_date,
            test_date=test_date,
            first_date=first_date,
            seed=seed,
            progress=progress,
            on_warning=lambda line: console.print(f"warning: {line}", soft_wrap=True),
        )
    rows = "  ".join(f"{name} {split.rows:,}" for name, split in schema.splits.items())
    console.print(f"rows: {rows}")
    report_written(out)
