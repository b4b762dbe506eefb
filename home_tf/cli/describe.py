"""`home-tf describe`."""

from typing import Annotated

from home_tf.cli.console import console, progress_bars, report_written
from home_tf.cli.description_tables import feature_table, label_table
from home_tf.cli.options import DataOption, OptionPath, path_option
from home_tf.cli.start_tensorflow import start_tensorflow


def describe(
    data: DataOption,
    out: Annotated[
        OptionPath | None,
        path_option(help="Write a report, report.html, to this folder."),
    ] = None,
) -> None:
    """Show what is in a dataset directory: labels, features, and their drift."""
    if out is not None:
        # Imported before the rows are read, because its extra may be missing.
        from home_tf.description.save_description import check_folder, save_description

        check_folder(out)
    start_tensorflow()
    from home_tf.description import describe as describe_data
    from home_tf.description import find_concerns

    with progress_bars() as progress:
        found = describe_data(data, progress=progress)
    rows = "  ".join(f"{name} {n:,}" for name, n in found.rows.items())
    console.print(f"rows: {rows}")
    if found.labels:
        console.print(label_table(found))
    if found.features:
        console.print(feature_table(found))
    console.print(_closing_line(len(find_concerns(found))))
    if out is not None:
        save_description(found, out)
        report_written(out / "report.html")


def _closing_line(concerns: int) -> str:
    if not concerns:
        return "no column needs attention"
    return f"! needs attention: {concerns} column{'s' if concerns > 1 else ''}"
