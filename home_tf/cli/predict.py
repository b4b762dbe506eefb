"""`home-tf predict`."""

from typing import Annotated

import typer

from home_tf.cli.console import (
    console,
    progress_bars,
    report_written,
    say_if_interrupted,
)
from home_tf.cli.open_run import open_run
from home_tf.cli.options import (
    EngineOption,
    MasterOption,
    MemoryOption,
    OptionPath,
    path_option,
)
from home_tf.cli.start_tensorflow import start_tensorflow


def predict(
    data: Annotated[
        str,
        typer.Option(
            help="A dataset directory, or CSV or Parquet files: a path or a pattern.",
            metavar="<path, pattern or URL>",
        ),
    ],
    out: Annotated[OptionPath, path_option(help="Write Parquet files to this folder.")],
    export: Annotated[
        OptionPath | None, path_option(help="The exported model to predict with.")
    ] = None,
    run: Annotated[
        OptionPath | None, path_option(help="The run to predict with, instead.")
    ] = None,
    run_data: Annotated[
        OptionPath | None,
        path_option(help="The dataset directory of the run, if it has moved."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of a dataset directory; default test.")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Columns to keep, such as keys, separated by commas.")
    ] = "",
    batch_size: Annotated[
        int, typer.Option(help="Largest number of rows per model call.")
    ] = 4096,
    rows_per_file: Annotated[
        int, typer.Option(help="Approximate number of rows per file.")
    ] = 1_000_000,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    memory: MemoryOption = "4GB",
) -> None:
    """Predict many rows with a run or an exported model; resumes if interrupted."""
    if run is None:
        start_tensorflow()
    else:
        open_run(run)
    from home_tf.predict import predict as predict_rows

    kept = f"{out} has what is finished. Run the same command again to resume"
    with say_if_interrupted(kept), progress_bars() as progress:
        rows = predict_rows(
            data,
            out,
            export=export,
            run=run,
            run_data=run_data,
            split=split,
            columns=[name.strip() for name in columns.split(",") if name.strip()],
            batch_size=batch_size,
            rows_per_file=rows_per_file,
            engine=engine,
            master=master,
            memory=memory,
            progress=progress,
        )
    console.print(f"rows: {rows:,}")
    report_written(out)
