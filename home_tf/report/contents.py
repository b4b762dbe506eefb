"""The contents of a page, before it becomes HTML."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes:
        caption: What it shows.
        columns: The names of its columns.
        rows: The text of its cells.
        words: The numbers of the columns that hold words, not numbers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = ()


@dataclass(frozen=True)
class Plot:
    """A plot, with its numbers.

    Attributes:
        name: Name of its file, without the suffix.
        label: The description for screen readers.
        draw: Draws it.
        numbers: The same as tables.
    """

    name: str
    label: str
    draw: Callable[[], Figure]
    numbers: Sequence[Table] = ()


@dataclass(frozen=True)
class Block:
    """Plots and tables under one heading.

    Attributes:
        title: The heading.
        text: What to see here, in a sentence or two.
        plots: The plots, side by side.
        tables: The tables that are always open.
        definitions: `{term: definition}`.
    """

    title: str
    text: str = ""
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    definitions: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in the navigation.

    Attributes:
        name: Its anchor.
        title: Its heading.
        text: The introduction.
        blocks: Its content.
    """

    name: str
    title: str
    text: str
    blocks: Sequence[Block]
