"""What the commands print, and where."""

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
    """Prints where a command has written."""
    # A path is for copying: it is not broken into lines.
    console.print(f"wrote {path}", soft_wrap=True)


@contextmanager
def say_if_interrupted(line: str) -> Iterator[None]:
    """What an interruption in the context says; a line that is said already stays."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise Interrupted(str(interruption) or f"interrupted; {line}") from None


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Lends a function that shows how much of a stage is done, of how much.

    Without a terminal, a line every `LINE_SECONDS` stands for the bars.
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
