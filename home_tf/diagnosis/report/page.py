"""Writes the report of a diagnosis: one HTML file, and its plots."""

from pathlib import Path

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
from home_tf.diagnosis.report.runs import Runs
from home_tf.diagnosis.report.task_sections import importance_section, task_section
from home_tf.report.contents import Section
from home_tf.report.page import write_page, write_plots
from home_tf.report.style import style
from home_tf.report.svg import draw_svg


def write_report(diagnoses: Runs, folder: Path) -> None:
    """Writes `report.html`, which needs no other file, and its plots in `plots`.

    For several runs there is one more plot, `side_by_side.svg`.

    Args:
        diagnoses: What `diagnose_run` returns, by the name of the run; several are
            compared side by side.
        folder: The folder to write to, which exists.
    """
    write_page(
        folder,
        "home_tf.diagnosis.report",
        make_sections(diagnoses),
        overview=make_overview(diagnoses),
        summary=summary_table(diagnoses),
    )
    if len(diagnoses) > 1:
        with style():
            svg = draw_svg(side_by_side(diagnoses))
        write_plots(folder, {"side_by_side": svg})


def make_sections(runs: Runs) -> list[Section]:
    """Makes the sections after the overview, in order."""
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
