"""Reporting the progress of long work."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

# Called with a stage, how much of it is done, and the total.
Progress: TypeAlias = Callable[[str, int, int], None]


def no_progress(stage: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


def draws_bars(console: "Console") -> bool:
    """Whether a console can overwrite what it has drawn.

    The output of a notebook cell claims to be a terminal, but keeps every drawing.
    """
    return console.is_terminal and console.file.isatty()
