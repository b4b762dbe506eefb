"""How long work reports how far it is."""

from collections.abc import Callable
from typing import TypeAlias

# Called with a stage, how much of it is done, and how much there is.
Progress: TypeAlias = Callable[[str, int, int], None]


def no_progress(stage: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""
