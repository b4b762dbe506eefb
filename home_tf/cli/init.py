"""`home-tf init`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from home_tf.cli.console import console, report_written, say_if_interrupted
from home_tf.cli.options import local_option
from home_tf.cli.start_tensorflow import start_tensorflow
from home_tf.errors import HomeError

if TYPE_CHECKING:
    from home_tf.init import Draft


def init(
    files: Annotated[
        list[str],
        typer.Argument(
            help="The log, and tables that share a key with it: CSV or Parquet files."
        ),
    ],
    out: Annotated[Path, local_option(help="The YAML configuration to write.")],
    label: Annotated[
        list[str] | None,
        typer.Option(help="A label column; repeat for several. Guessed by default."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="The user column. Guessed by default.")
    ] = None,
    item: Annotated[
        str | None, typer.Option(help="The item column. Guessed by default.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The time column. Guessed by default.")
    ] = None,
    type: Annotated[
        list[str] | None,
        typer.Option(
            help="The type of a CSV column that is guessed wrong; repeat for several.",
            metavar="COLUMN=TYPE",
        ),
    ] = None,
    memory: Annotated[str, typer.Option(help="Memory limit of DuckDB.")] = "4GB",
) -> None:
    """Write a first configuration for your files, with comments, for you to edit."""
    start_tensorflow()
    from home_tf.init import init as write_config

    with say_if_interrupted("nothing was written. Run the same command again"):
        draft = write_config(
            files,
            out,
            labels=label or (),
            user=user,
            item=item,
            time=time,
            types=dict(map(_parse_type, type or ())),
            memory=memory,
        )
    _print(draft)
    report_written(out)
    console.print(
        "\nRead it, delete what is not known when a row is ranked, and run\n  home-tf "
        f"prepare --config {out} --out records\n  home-tf train --config {out} --data "
        "records --out run\n  home-tf evaluate --run run\n  home-tf export --run run "
        "--out model",
        soft_wrap=True,
        markup=False,
    )


def _parse_type(text: str) -> tuple[str, str]:
    column, equals, kind = text.rpartition("=")
    if not (column and equals and kind):
        raise HomeError(f"`--type` must look like `zip=VARCHAR`. Received: {text!r}")
    return column, kind


def _print(draft: "Draft") -> None:
    """Prints what was found."""
    tables = [join.source for join in draft.joins.tables]
    joined = "".join(f"; {one.name} {one.rows:,}" for one in tables)
    labels = ", ".join(f"{one.name} ({one.rate:.2%})" for one in draft.labels)
    found = {
        "rows": f"{draft.rows:,}{joined}",
        "labels": labels,
        "user": draft.user or "none: no GAUC, no history",
        "item": draft.item or "none",
        "time": _time(draft),
        "features": str(len(draft.features) + len(draft.history.features)),
        "left out": ", ".join(one.name for one in draft.left_out) or "none",
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in found.items():
        table.add_row(name, escape(text))
    console.print(table)


def _time(draft: "Draft") -> str:
    if draft.time is None:
        return "none: rows are split by chance"
    by = "days" if draft.time.splits_by_days else "shares"
    return f"{draft.time.time.column}, {draft.time.days:,} days, split by {by}"
