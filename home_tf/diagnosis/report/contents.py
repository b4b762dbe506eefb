"""What a report is made of, before it is HTML."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

# `{name of the run: what diagnose_run returns}`
Runs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """A table, whose first column names the rows.

    Attributes:
        caption: What it shows.
        columns: The names of its columns.
        rows: The text of its cells.
        words: The columns, by number, that hold words and not numbers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = ()


@dataclass(frozen=True)
class Plot:
    """A plot, with its numbers.

    Attributes:
        name: Of its file, without the suffix.
        label: What a screen reader says of it.
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
        plots: The plots; of several runs one beside the other.
        tables: The tables that are always open.
        definitions: `{term: what it is}`.
    """

    title: str
    text: str = ""
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    definitions: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report with an entry in the navigation.

    Attributes:
        name: Its anchor.
        title: Its heading.
        text: What it answers.
        blocks: What it shows.
    """

    name: str
    title: str
    text: str
    blocks: Sequence[Block]


def titled(runs: Runs, run: str, title: str) -> str:
    """A title that names the run if there are several."""
    return f"{run}: {title}" if len(runs) > 1 else title[:1].upper() + title[1:]


def named(runs: Runs, run: str, name: str) -> str:
    """The name of a plot of a run, without what a file's name must not have."""
    if len(runs) == 1:
        return name
    plain = "".join(c if c.isalnum() and c.isascii() else "-" for c in run)
    return f"{name}-{list(runs).index(run) + 1}-{plain[:40]}"


def names_by_level(names: Sequence[str]) -> dict[str, list[str]]:
    """Names such as `meta/shared` by what is before the first slash."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("/")[0], []).append(name)
    return found


def architecture_of(one: Mapping[str, Any]) -> str:
    """The name of a diagnosed run's architecture, such as HoME."""
    # The pictures for TensorBoard need none of what the configuration needs.
    from home_tf.config import ARCHITECTURES

    kind = one["architecture"]
    return ARCHITECTURES[kind].__name__ if kind in ARCHITECTURES else str(kind)
