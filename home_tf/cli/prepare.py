"""`home-tf prepare`."""

from typing import Annotated, Any, Literal

import typer

from home_tf.cli.console import (
    console,
    progress_bars,
    report_written,
    say_if_interrupted,
)
from home_tf.cli.options import (
    ConfigOption,
    EngineOption,
    MasterOption,
    MemoryOption,
    OptionPath,
    SourceOption,
    path_option,
)
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.errors import HomeError


def prepare(
    config: ConfigOption,
    out: Annotated[OptionPath, path_option(help="The dataset directory to write.")],
    source: SourceOption = None,
    layout: Annotated[
        Literal["packed", "rows"], typer.Option(help="Blocks (fast) or single rows.")
    ] = "packed",
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the records.")] = False,
    shards: Annotated[int, typer.Option(help="Number of files per split.")] = 8,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    memory: MemoryOption = "4GB",
    as_of: Annotated[
        str | None, typer.Option(help="A day or time, for --only history.")
    ] = None,
    only: Annotated[
        Literal["history"] | None,
        typer.Option(help="Write only the history features of every key at --as-of."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the row order.")] = 0,
) -> None:
    """Turn logs into TFRecords, as configured in the section `data`."""
    from home_tf.config import peek_framework

    if (as_of is None) != (only is None):
        raise HomeError("`--as-of TIME` and `--only history` require each other")
    start_tensorflow(peek_framework(config))
    from home_tf.prepare import prepare as prepare_data
    from home_tf.prepare import prepare_history

    def warn(line: str) -> None:
        console.print(f"warning: {line}", soft_wrap=True)

    nothing = f"{out} is as it was. Run the same command again"
    with say_if_interrupted(nothing), progress_bars() as progress:
        given: dict[str, Any] = {
            "engine": engine,
            "master": master,
            "memory": memory,
            "progress": progress,
            "on_warning": warn,
        }
        if as_of is not None:
            prepare_history(source, config, out, as_of=as_of, **given)
        else:
            schema = prepare_data(
                source,
                config,
                out,
                layout=layout,
                compression="GZIP" if gzip else None,
                shards=shards,
                seed=seed,
                **given,
            )
    if as_of is None:
        splits = schema.splits.items()
        rows = "  ".join(f"{name} {split.rows:,}" for name, split in splits)
        console.print(f"rows: {rows}")
    report_written(out)
