"""Finding the columns of a dataset directory that need attention, and why."""

from collections.abc import Mapping

from home_tf.description.description import Description, Feature, LabelInSplit

# Beyond these thresholds, a column needs attention.
DRIFT = 0.25
MISSING = 0.5
OUT_OF_VOCABULARY = 0.5
FEWEST_POSITIVES = 100


def find_concerns(description: Description) -> dict[str, str]:
    """Finds the columns that need attention.

    Args:
        description: What `describe` returns.

    Returns:
        `{column: reason in a few words}`, labels first.
    """
    found = {
        name: _few_positives(splits) for name, splits in description.labels.items()
    }
    found |= {
        name: ", ".join(feature_concerns(feature).values())
        for name, feature in description.features.items()
    }
    return {name: text for name, text in found.items() if text}


def feature_concerns(feature: Feature) -> dict[str, str]:
    """Finds why a feature needs attention, by the figure that shows it."""
    found = {}
    if feature.is_constant:
        found["distinct"] = "constant"
    if feature.drift is not None and feature.drift > DRIFT:
        found["drift"] = f"drift {feature.drift:.2f}"
    share = feature.out_of_vocabulary
    if share is not None and share > OUT_OF_VOCABULARY:
        found["out_of_vocabulary"] = f"{share:.0%} out of vocabulary"
    if feature.missing > MISSING:
        found["missing"] = f"{feature.missing:.0%} missing"
    return found


def has_few_positives(label: LabelInSplit) -> bool:
    """Whether a label has too few positives for training or evaluation."""
    return label.positives < FEWEST_POSITIVES


def _few_positives(splits: Mapping[str, LabelInSplit]) -> str:
    few = [
        f"{one.positives} in {split}"
        for split, one in splits.items()
        if has_few_positives(one)
    ]
    return f"few positives: {', '.join(few)}" if few else ""
