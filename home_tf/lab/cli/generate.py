"""`home-tf generate`."""

from pathlib import Path
from typing import Annotated

import typer

from home_tf.cli.console import report_written
from home_tf.cli.options import local_option
from home_tf.cli.start_tensorflow import start_tensorflow

generate_app = typer.Typer(no_args_is_help=True, help="Generate synthetic logs.")


@generate_app.command("kuairand")
def generate_kuairand(
    out: Annotated[Path, local_option(help="The folder to write.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = 4000,
    videos: Annotated[int, typer.Option(help="Number of videos.")] = 2000,
    days: Annotated[int, typer.Option(help="Number of days.")] = 12,
    rows: Annotated[int, typer.Option(help="Number of impressions.")] = 120_000,
    group_correlation: Annotated[
        float,
        typer.Option(help="Correlation of tastes between the task groups, -1 to 1."),
    ] = 0.6,
    density_gap: Annotated[
        float,
        typer.Option(help="How many times rarer interactions are than in KuaiRand."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 0,
) -> None:
    """Generate synthetic logs in the layout of KuaiRand."""
    start_tensorflow()
    from home_tf.lab.synthetic import generate

    generate(
        out,
        users=users,
        videos=videos,
        days=days,
        rows=rows,
        group_correlation=group_correlation,
        density_gap=density_gap,
        seed=seed,
    )
    report_written(out)
