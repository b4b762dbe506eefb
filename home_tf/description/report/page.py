"""Writes the report of a description: one HTML file, and its plots."""

from pathlib import Path

from home_tf.description.concerns import find_concerns
from home_tf.description.description import Description
from home_tf.description.report.definitions import definition_section
from home_tf.description.report.feature_sections import (
    drift_section,
    feature_section,
    number_section,
    vocabulary_section,
)
from home_tf.description.report.label_section import label_section
from home_tf.report.contents import Section, Table
from home_tf.report.numbers import any_of, whole
from home_tf.report.page import write_page


def write_report(description: Description, folder: Path) -> None:
    """Writes `report.html`, which needs no other file, and its plots in `plots`.

    Args:
        description: What `describe` returns.
        folder: The folder to write to, which exists.
    """
    write_page(
        folder,
        "home_tf.description.report",
        make_sections(description),
        facts=_facts(description),
        concerns=_concern_table(description),
    )


def make_sections(description: Description) -> list[Section]:
    """Makes the sections after the overview, in order."""
    return [
        label_section(description),
        drift_section(description),
        number_section(description),
        vocabulary_section(description),
        feature_section(description),
        definition_section(),
    ]


def _facts(description: Description) -> list[str]:
    rows = [f"{whole(n)} rows in {split}" for split, n in description.rows.items()]
    labels, features = len(description.labels), len(description.features)
    return [*rows, any_of(labels, "label"), any_of(features, "feature")]


def _concern_table(description: Description) -> Table:
    concerns = find_concerns(description)
    caption = f"Needs attention: {len(concerns)} of the columns"
    rows = [[name, text] for name, text in concerns.items()]
    return Table(caption, ["column", "why"], rows, words=[1])
