"""The style of plots: colours, sizes and names."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

# Okabe and Ito's palette, which colour-blind readers can distinguish.
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
VERMILLION, PURPLE, SKY = "#d55e00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, SKY)
MARKERS = ("o", "s", "^", "D", "v")

# Plots are drawn in the colours of paper; the page replaces them with its own.
INK, MUTED, GRID, PAPER = "#1f2329", "#5a636f", "#d9dde3", "#fffffe"

TITLE, LABEL, NUMBER = 9.5, 8.5, 7.5

_STYLE = {
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": LABEL,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "font.family": ["DejaVu Sans"],
    "font.size": LABEL,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": LABEL,
    "ytick.labelsize": LABEL,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "home_tf",
}


@contextmanager
def style() -> Iterator[None]:
    """Draws and saves plots in the page's style, ignoring the user's."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        # The reader's browser has the glyphs that Matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def text_width(texts: Iterable[str], size: float = LABEL) -> float:
    """The width of the widest of some lines, in inches."""
    return max((_width(text) for text in texts), default=0.0) * size / 72


@lru_cache(maxsize=4096)
def _width(text: str) -> float:
    """The width in multiples of the font's size."""
    font = FontProperties(family=["DejaVu Sans"])
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / font.get_size_in_points()


def series_looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns the marker and colour of each series, by its shortened name."""
    return {
        shorten(name, 24): {
            "color": SERIES[number % len(SERIES)],
            "marker": MARKERS[number % len(MARKERS)],
            "markersize": 4.5,
            "linewidth": 1.6,
        }
        for number, name in enumerate(names)
    }


def shorten(name: str, length: int = 30) -> str:
    """Shortens a long name by cutting out its middle, and removes line breaks."""
    name = " ".join(name.split())
    if len(name) <= length:
        return name
    start = (length - 1) // 3
    return f"{name[:start]}…{name[start + 1 - length :]}"
