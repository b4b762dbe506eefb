"""Console output that the commands share."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from home_tf.errors import Interrupted
from home_tf.files import AnyPath
from home_tf.progress import draws_bars

LINE_SECONDS = 30.0

console = Console(highlight=False)


def report_written(path: AnyPath) -> None:
    """Prints the path that a command has written."""
    # Users copy the path, so it must not be wrapped.
    console.print(f"wrote {path}", soft_wrap=True)


@contextmanager
def say_if_interrupted(line: str) -> Iterator[None]:
    """Sets the message of an interruption in the context, unless it has one already."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise Interrupted(str(interruption) or f"interrupted; {line}") from None


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yields a function that shows the progress of a stage: steps done, and in all.

    Without a terminal, it prints a line every `LINE_SECONDS` instead of the bars.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not draws_bars(console),
    ) as bars:
        shown: dict[str, TaskID] = {}
        last_line = time.monotonic()

        def show(stage: str, done: int, total: int) -> None:
            nonlocal last_line
            waited = time.monotonic() - last_line
            if waited > LINE_SECONDS and not draws_bars(console):
                last_line = time.monotonic()
                console.print(f"{stage}: {done:,} of {total:,}", soft_wrap=True)
            if stage not in shown:
                shown[stage] = bars.add_task(stage, total=total)
            bars.update(shown[stage], completed=done, total=total)

        yield show
