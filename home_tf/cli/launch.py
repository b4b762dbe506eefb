"""`home-tf launch`."""

from typing import Annotated

import typer

from home_tf.cli.console import say_if_interrupted
from home_tf.cli.local_processes import LocalProcesses, free_addresses
from home_tf.cluster import VARIABLE, describe_worker
from home_tf.errors import HomeError


def launch(
    command: Annotated[
        list[str], typer.Argument(help="The command and its options, after `--`.")
    ],
    workers: Annotated[
        int, typer.Option(min=2, max=64, help="Number of processes.")
    ] = 2,
) -> None:
    """Train in several processes on this machine: home-tf launch -- train ...

    To try out training on several machines. Every process computes on the CPU. The
    output of the first one, the chief, is shown. If one fails, all end.
    """
    if command[0] != "train":
        raise HomeError(
            "`launch` starts `train` in several processes; it cannot start other "
            f"commands. Received: {command[0]!r}. Write `home-tf launch -- train ...`"
        )
    addresses = free_addresses(workers)
    clusters = [{VARIABLE: describe_worker(addresses, i)} for i in range(workers)]
    with (
        say_if_interrupted("all processes have ended. Launch again to resume"),
        LocalProcesses([command] * workers, clusters) as processes,
    ):
        code = processes.wait()
    if code:
        raise typer.Exit(code)
