"""Writing a page: one self-contained HTML file, and its plots."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from home_tf.report.contents import Plot, Section
from home_tf.report.style import style
from home_tf.report.svg import draw_svg, inline_svg

_CODE = re.compile(r"`([^`]+)`")
_NAME = "report.html"


def write_page(
    folder: Path, package: str, sections: Sequence[Section], **overview: Any
) -> None:
    """Writes the self-contained `report.html`, and its plots to `plots`.

    Args:
        folder: The folder to write to, which exists.
        package: The package whose `report.html.jinja` extends `page.html.jinja` with
            what comes before the sections.
        sections: The sections, in order.
        **overview: The variables of that template.
    """
    plots = _draw_plots(sections)
    write_plots(folder, plots)
    page = _render(package, sections, plots, overview)
    (folder / _NAME).write_text(page, encoding="utf-8")


def write_plots(folder: Path, plots: Mapping[str, str]) -> None:
    """Writes plots, `{name: SVG}`, as files in `plots`."""
    (folder / "plots").mkdir(exist_ok=True)
    for name, svg in plots.items():
        (folder / "plots" / f"{name}.svg").write_text(svg, encoding="utf-8")


def _draw_plots(sections: Sequence[Section]) -> dict[str, str]:
    with style():
        return {plot.name: draw_svg(plot.draw()) for plot in _plots(sections)}


def _plots(sections: Sequence[Section]) -> Iterator[Plot]:
    for section in sections:
        for block in section.blocks:
            yield from block.plots


def _render(
    package: str,
    sections: Sequence[Section],
    plots: Mapping[str, str],
    overview: Mapping[str, Any],
) -> str:
    environment = _make_environment(package)
    prefixes = {name: f"p{number}-" for number, name in enumerate(plots)}

    def inline(plot: Plot) -> Markup:
        svg = plots[plot.name]
        return Markup(inline_svg(svg, prefix=prefixes[plot.name], label=plot.label))

    style_sheet = PackageLoader(__package__, "").get_source(environment, "page.css")
    return environment.get_template(f"{_NAME}.jinja").render(
        sections=sections,
        inline=inline,
        style_sheet=Markup(style_sheet[0]),
        **overview,
    )


def _make_environment(package: str) -> Environment:
    packages = (__package__, package)
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(one, "") for one in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _mark_code
    return environment


def _mark_code(text: str) -> Markup:
    """Marks the parts of a text between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))
