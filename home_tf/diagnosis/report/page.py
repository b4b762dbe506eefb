"""Writes the report of a diagnosis: one HTML file, and its plots."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from home_tf.diagnosis.report.contents import Plot, Runs, Section
from home_tf.diagnosis.report.curve_section import curve_section
from home_tf.diagnosis.report.definitions import definition_section
from home_tf.diagnosis.report.expert_section import expert_section
from home_tf.diagnosis.report.gate_sections import (
    feature_gate_section,
    gate_section,
    source_section,
)
from home_tf.diagnosis.report.overview import make_overview, summary_table
from home_tf.diagnosis.report.plots import side_by_side
from home_tf.diagnosis.report.style import style
from home_tf.diagnosis.report.svg import draw_svg, inline_svg
from home_tf.diagnosis.report.task_sections import importance_section, task_section

_CODE = re.compile(r"`([^`]+)`")


def write_report(diagnoses: Runs, folder: Path) -> None:
    """Writes `report.html`, which needs no other file, and its plots in `plots`.

    Of several runs there is one more plot, `side_by_side.svg`.

    Args:
        diagnoses: What `diagnose_run` returns, by the name of the run; several are set
            side by side.
        folder: Where to write; it exists.
    """
    sections = make_sections(diagnoses)
    plots = draw_plots(sections)
    files = dict(plots)
    if len(diagnoses) > 1:
        with style():
            files["side_by_side"] = draw_svg(side_by_side(diagnoses))
    (folder / "plots").mkdir()
    for name, svg in files.items():
        (folder / "plots" / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = _render(diagnoses, sections, plots)
    (folder / "report.html").write_text(page, encoding="utf-8")


def make_sections(runs: Runs) -> list[Section]:
    """The sections after the overview, in their order."""
    return [
        gate_section(runs),
        source_section(runs),
        expert_section(runs),
        feature_gate_section(runs),
        importance_section(runs),
        task_section(runs),
        curve_section(runs),
        definition_section(),
    ]


def draw_plots(sections: Sequence[Section]) -> dict[str, str]:
    """Draws every plot: `{name: SVG}`."""
    with style():
        return {plot.name: draw_svg(plot.draw()) for plot in _plots(sections)}


def _plots(sections: Sequence[Section]) -> Iterator[Plot]:
    for section in sections:
        for block in section.blocks:
            yield from block.plots


def _render(runs: Runs, sections: Sequence[Section], plots: dict[str, str]) -> str:
    loader = PackageLoader("home_tf.diagnosis", "report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _mark_code
    prefixes = {name: f"p{number}-" for number, name in enumerate(plots)}

    def inline(plot: Plot) -> Markup:
        svg = plots[plot.name]
        return Markup(inline_svg(svg, prefix=prefixes[plot.name], label=plot.label))

    style_sheet, _, _ = loader.get_source(environment, "report.css")
    return environment.get_template("report.html.jinja").render(
        overview=make_overview(runs),
        summary=summary_table(runs),
        sections=sections,
        inline=inline,
        style_sheet=Markup(style_sheet),
    )


def _mark_code(text: str) -> Markup:
    """Text whose parts between backticks are code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))
