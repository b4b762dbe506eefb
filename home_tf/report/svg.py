"""Plots as SVG, for files and for the page."""

import io
import re
from html import escape

from matplotlib.figure import Figure

from home_tf.report.style import BLUE, GRID, INK, MUTED, PAPER

_METADATA = re.compile(r"\s*<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_STYLE = re.compile(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_ROOT = re.compile(r'<svg[^>]*?width="(\S+)" [^>]*?viewBox="([^"]*)"[^>]*>')
_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r' id="([^"]*)"')
_LINK = re.compile(r'(href="#|url\(#)([^")]*)')
_LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")
_EMPTY = re.compile(r"<g>\s*</g>")
_FONT = "'DejaVu Sans'"
# The page's colours follow the reader's preference for light or dark.
_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    BLUE: "var(--blue)",
    _FONT: "var(--font)",
}


def draw_svg(figure: Figure) -> str:
    """Draws a figure as an SVG file; the same figure always gives the same text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = _METADATA.sub("", file.getvalue())
    used = {name for _, name in _LINK.findall(svg)}
    svg = _TAG.sub(lambda tag: _shorten(tag[0], used), svg)
    return _EMPTY.sub("", svg)


def inline_svg(svg: str, *, prefix: str, label: str) -> str:
    """Returns the element of an SVG file for embedding in the page.

    Args:
        svg: What `draw_svg` returns.
        prefix: Prefix of its ids, so that they are unique in the page.
        label: The description for screen readers.

    Returns:
        The element, in the page's colours and without a background.
    """
    svg = _STYLE.sub("", _HEAD.sub("", svg))
    svg = svg.replace(f'style="fill: {PAPER}"', 'style="fill: none"', 1)
    svg = _TAG.sub(lambda tag: _adapt(tag[0], prefix), svg)
    return _ROOT.sub(lambda root: _make_root(root, label), svg, count=1).strip()


def _shorten(tag: str, used: set[str]) -> str:
    """Removes unused ids and invisible digits from a tag."""
    tag = _ID.sub(lambda found: found[0] if found[1] in used else "", tag)
    tag = tag.replace(_FONT, f"{_FONT}, sans-serif") if "style" in tag else tag
    return _LONG_NUMBER.sub(r"\1", tag)


def _adapt(tag: str, prefix: str) -> str:
    tag = tag.replace(f"{_FONT}, sans-serif", _FONT).replace("xlink:href", "href")
    for value, variable in _VARIABLES.items():
        tag = tag.replace(value, variable)
    tag = _ID.sub(rf' id="{prefix}\1"', tag)
    return _LINK.sub(rf"\1{prefix}\2", tag)


def _make_root(root: re.Match[str], label: str) -> str:
    return (
        f'<svg style="--width: {root[1]}" viewBox="{root[2]}" role="img" '
        f'aria-label="{escape(label)}" stroke-linejoin="round">'
    )
