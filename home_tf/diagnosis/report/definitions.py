"""Definitions of the figures and verdicts of the report."""

from home_tf.diagnosis.report.overview import JUDGED, TITLES, write_limit
from home_tf.diagnosis.verdicts import THRESHOLDS
from home_tf.report.contents import Block, Section

_VERDICTS = {
    "collapse": (
        "An expert's outputs are always zero in some dimensions, or a gate takes "
        "nearly everything from one shared expert",
        ("dead_dimensions", "shared_contribution"),
    ),
    "degradation": (
        "A shared expert serves only one task; the monopoly is 0 if all tasks use it "
        "equally and 1 if only one does",
        ("monopoly",),
    ),
    "underfitting": (
        "A task ignores its own experts and relies on others",
        ("own_mass",),
    ),
    "twin_experts": (
        "Two experts are near duplicates, so one would do",
        ("similarity",),
    ),
    "dead_feature_gate": (
        "A feature gate barely changes its input",
        ("effect",),
    ),
    "constant_gate": (
        "A gate gives its experts the same weights whatever its input",
        ("input_dependence",),
    ),
}

_NAMES = {
    "Experts": "level/owner/number, such as task/inter/is_like/0. The owner is shared, "
    "a task group, or a task of a group. Architectures with one level omit it.",
    "Gates": "A gate is named after its output: task/inter/is_like computes the "
    "representation of is_like, meta/shared the input of the next shared experts.",
}

_EXPERTS = {
    "Zeros, near zeros": "Share of outputs that are exactly 0, and share of those "
    "below 0.001 in absolute value.",
    "Dead dimensions": "Share of output dimensions that are 0 in more than 99% of "
    "the rows.",
    "Effective rank": "exp(H) of the eigenvalues of the outputs' covariance, scaled to "
    "sum to 1: how many directions the outputs use. H is the entropy.",
    "Gradient norm": "Mean norm of the gradient of a row's loss, the sum of its tasks' "
    "cross-entropies, with respect to the expert's outputs.",
    "Similarity": "Linear CKA with the most similar sibling, from 0 to 1: 1 if one is "
    "the other, rotated and scaled.",
}

_GATES = {
    "Weight": "Mean weight that a gate gives an expert.",
    "Contribution": "Mean share of an expert in the sum of weight times output norm: "
    "weights alone mislead if the experts differ in scale.",
    "Effective experts": "Mean of exp(H) of the weights over the number of experts: "
    "how many experts the gate mixes in a single row.",
    "Experts used": "exp(H) of the mean weights over the number of experts: how many "
    "experts the gate uses at all.",
    "Dead experts": "Share of the experts with less than 1% of an even weight.",
    "Input dependence": "Variance of the weights over the rows, as a share of the "
    "maximum for their means: 0 if the gate ignores its input, 1 if it picks one "
    "expert per row.",
    "Own mass": "Share of a task's representation that comes from its own experts, "
    "through gate and self gate together; the verdict divides it by an even share.",
    "Feature gate": "Multiplies every input by a value from 0 to 2. Its effect is the "
    "root mean square of the value minus 1.",
}

_TASKS = {
    "AUC": "How often a positive row is ranked above a negative one.",
    "GAUC": "AUC within each group of rows, such as a user's, averaged by its rows.",
    "Importance": "Loss of AUC or GAUC if a column is shuffled among the rows, with an "
    "interval from a paired bootstrap. Redundant columns hide each other; "
    "`--features 'user_*+tab'` shuffles them together.",
    "Predicted / observed": "Mean prediction over the positive rate: above 1, "
    "predictions are too high.",
}


def definition_section() -> Section:
    """Explains the verdicts and figures."""
    verdicts = {TITLES[kind]: _verdict(kind) for kind in _VERDICTS}
    return Section(
        "how-to-read",
        "How to read this",
        "docs/guides/diagnosis.md has every figure with its formula.",
        [
            Block("Verdicts", definitions=verdicts),
            Block("Names", definitions=_NAMES),
            Block("Experts", definitions=_EXPERTS),
            Block("Gates", definitions=_GATES),
            Block("Tasks", definitions=_TASKS),
        ],
    )


def _verdict(kind: str) -> str:
    text, figures = _VERDICTS[kind]
    limits = [
        f"{JUDGED[name].title} {write_limit(name, THRESHOLDS[name])}"
        for name in figures
    ]
    return f"{text}. Found if: {', or '.join(limits)}."
