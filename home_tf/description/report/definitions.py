"""Definitions of the figures of the report."""

from home_tf.description.concerns import (
    DRIFT,
    FEWEST_POSITIVES,
    MISSING,
    OUT_OF_VOCABULARY,
)
from home_tf.description.describe_ids import SMALLEST_BIN
from home_tf.report.contents import Block, Section

_FIGURES = {
    "Label": "A column with 0, 1 and missing values, whether a task uses it or not.",
    "Rate": "The share of positives among the rows with a label. Its 95% interval, and "
    "that of its change from the training rows, treat rows as independent; rows of one "
    "user are not, so the true intervals are wider.",
    "Missing": "The share of rows without a value; for lists, of empty lists.",
    "Out of vocabulary": "The share of values that are not in the training rows. It is "
    "undefined for columns without a vocabulary, such as the day or a hashed feature.",
    "Drift": "The population stability index against the training rows: "
    "`sum((q - p) * ln(q / p))` over the shares p and q of the bins, minus what chance "
    "alone gives. By convention, less than 0.1 is negligible, 0.1 to 0.25 a moderate "
    "change, and more than 0.25 a large one.",
    "Bins of drift": "Numbers: the deciles of the training rows, and missing. Ids: "
    f"each value with at least {SMALLEST_BIN:.0%} of the training rows; all others, "
    "including new ones; and missing. If no value is that frequent, drift cannot be "
    "measured: look at the share out of vocabulary instead.",
}


def definition_section() -> Section:
    """Explains the figures, and when a column needs attention."""
    attention = (
        f"Drift above {DRIFT:g}, more than {MISSING:.0%} missing, more than "
        f"{OUT_OF_VOCABULARY:.0%} out of vocabulary, the same value in all training "
        f"rows, or fewer than {FEWEST_POSITIVES} positives of a label in a split."
    )
    return Section(
        "how-to-read",
        "How to read this",
        "See docs/guides/data.md for more.",
        [Block("", definitions={**_FIGURES, "Needs attention": attention})],
    )
