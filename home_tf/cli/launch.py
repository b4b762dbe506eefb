"""`home-tf launch`."""

from typing import Annotated

import typer

from home_tf.cli.console import say_if_interrupted
from home_tf.cli.local_processes import LocalProcesses


def launch(
    command: Annotated[
        list[str], typer.Argument(help="The command and its options, after `--`.")
    ],
    workers: Annotated[
        int, typer.Option(min=2, max=64, help="How many processes train together.")
    ] = 2,
) -> None:
    """Try training on several machines on this one: home-tf launch -- train ...

    Starts the command in several processes that compute on the CPU, with a `TF_CONFIG`
    each. What the first, the chief, prints is shown. All end when one fails.
    """
    with (
        say_if_interrupted("all processes have ended. Launch again to resume"),
        LocalProcesses(command, workers) as processes,
    ):
        code = processes.wait()
    if code:
        raise typer.Exit(code)
