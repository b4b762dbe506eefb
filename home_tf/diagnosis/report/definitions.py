"""What the figures and verdicts of the report mean."""

from home_tf.diagnosis.report.overview import JUDGED, TITLES, write_limit
from home_tf.diagnosis.verdicts import THRESHOLDS
from home_tf.report.contents import Block, Section

_VERDICTS = {
    "collapse": (
        "An expert's outputs are always zero in some dimensions, or a gate takes "
        "nearly all from one shared expert",
        ("dead_dimensions", "shared_contribution"),
    ),
    "degradation": (
        "A shared expert serves one task only; the monopoly is 0 if all tasks use it "
        "alike and 1 if only one does",
        ("monopoly",),
    ),
    "underfitting": (
        "A task ignores its own experts and lives on those of others",
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
        "A gate that mixes experts weighs them alike whatever its input",
        ("input_dependence",),
    ),
}

_NAMES = {
    "Experts": "level/owner/number, such as task/inter/is_like/0. The owner is shared, "
    "a task group, or a task of a group. Architectures with one level do not name it.",
    "Gates": "A gate has the name of what it makes: task/inter/is_like makes the "
    "representation of is_like, meta/shared the input of the shared experts after it.",
}

_EXPERTS = {
    "Zeros, near zeros": "Share of the outputs that are exactly 0; share of those "
    "below 0.001 in absolute value.",
    "Dead dimensions": "Share of the output dimensions that are 0 in more than 99% of "
    "the rows.",
    "Effective rank": "exp(H) of the eigenvalues of the outputs' covariance, scaled to "
    "sum to 1: in how many directions the expert speaks. H is the entropy.",
    "Gradient norm": "Mean norm of the gradient of a row's loss, the sum of its tasks' "
    "cross-entropies, by the expert's outputs.",
    "Similarity": "Linear CKA with the most similar sibling, from 0 to 1: 1 if one is "
    "the other turned and scaled.",
}

_GATES = {
    "Weight": "Mean weight that a gate gives an expert.",
    "Contribution": "Mean share of an expert in the sum of weight times norm of the "
    "output: a weight alone misleads where the scales of experts differ.",
    "Effective experts": "Mean of exp(H) of the weights over the number of experts: "
    "between how many the gate decides in a row.",
    "Experts used": "exp(H) of the mean weights over the number of experts: how many "
    "the gate uses at all.",
    "Dead experts": "Share of the experts with less than 1% of an even weight.",
    "Input dependence": "Variance of the weights over the rows, of the most that their "
    "means allow: 0 if the gate ignores its input, 1 if it picks one expert a row.",
    "Own mass": "Share of a task's representation that its own experts give, gate and "
    "self gate together; for the verdict over what an even share would be.",
    "Feature gate": "Multiplies every input by a value from 0 to 2. Its effect is the "
    "root mean square of value minus 1.",
}

_TASKS = {
    "AUC": "How often a positive row is ranked above a negative one.",
    "GAUC": "AUC within each group of rows, such as a user's, averaged by its rows.",
    "Importance": "Loss of AUC or GAUC if a column is shuffled among the rows, with an "
    "interval of a paired bootstrap. Redundant columns hide one another; "
    "`--features 'user_*+tab'` shuffles them together.",
    "Predicted / observed": "Mean prediction over the rate of positives: above 1 the "
    "task is predicted too often.",
}


def definition_section() -> Section:
    """What the verdicts and figures mean."""
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
