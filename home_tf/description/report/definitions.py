"""What the figures of the report mean."""

from home_tf.description.concerns import (
    DRIFT,
    FEWEST_POSITIVES,
    MISSING,
    OUT_OF_VOCABULARY,
)
from home_tf.description.describe_ids import SMALLEST_BIN
from home_tf.report.contents import Block, Section

_FIGURES = {
    "Label": "A column of 0, 1 and missing, whether a task learns it or not.",
    "Rate": "The positives' share of the rows with a label. Its 95% interval, and that "
    "of its change from the training rows, takes rows for independent; rows of one "
    "user are not, so the true intervals are wider.",
    "Missing": "The share of the rows without a value; of lists, the empty ones.",
    "Out of vocabulary": "The share of the values that no training row has. A column "
    "without a vocabulary, such as the day or a hashed feature, has none.",
    "Drift": "The population stability index against the training rows: "
    "`sum((q - p) * ln(q / p))` over the shares p and q of the bins, less what chance "
    "alone gives. By custom, less than 0.1 is no change worth a look, 0.1 to 0.25 a "
    "moderate and more than 0.25 a large one.",
    "Bins of drift": "Numbers: the tenths of the training rows, and missing. Ids: each "
    f"value of at least {SMALLEST_BIN:.0%} of the training rows; all others, new ones "
    "among them; and missing. Where no value is that frequent there is no drift to "
    "measure: look at the share out of vocabulary.",
}


def definition_section() -> Section:
    """What the figures mean, and when a column needs attention."""
    attention = (
        f"Drift above {DRIFT:g}, more than {MISSING:.0%} missing, more than "
        f"{OUT_OF_VOCABULARY:.0%} out of vocabulary, the same value in all training "
        f"rows, or fewer than {FEWEST_POSITIVES} positives of a label in a split."
    )
    return Section(
        "how-to-read",
        "How to read this",
        "docs/guides/data.md has more on it.",
        [Block("", definitions={**_FIGURES, "Needs attention": attention})],
    )
