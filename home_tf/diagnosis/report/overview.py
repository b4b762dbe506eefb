"""The first screen of the report: the verdicts on each run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from home_tf.diagnosis.report.runs import Runs, architecture_of
from home_tf.diagnosis.summary import summarize
from home_tf.diagnosis.verdicts import LOW_IS_WORSE
from home_tf.report.contents import Table
from home_tf.report.numbers import any_of, decimal, percent, whole

TITLES = {
    "collapse": "Expert collapse",
    "degradation": "Expert degradation",
    "underfitting": "Expert underfitting",
    "twin_experts": "Twin experts",
    "dead_feature_gate": "Dead feature gates",
    "constant_gate": "Constant gates",
}


@dataclass(frozen=True)
class JudgedFigure:
    """How the report writes a figure that has a threshold.

    Attributes:
        title: Its title.
        write: Formats a value.
    """

    title: str
    write: Callable[[float], str]


def _two_digits(value: float) -> str:
    return decimal(value, 2)


JUDGED = {
    "dead_dimensions": JudgedFigure("dead dimensions", percent),
    "shared_contribution": JudgedFigure("contribution of a shared expert", percent),
    "monopoly": JudgedFigure("monopoly", percent),
    "own_mass": JudgedFigure("own mass over an even share", percent),
    "similarity": JudgedFigure("similarity", _two_digits),
    "effect": JudgedFigure("effect", percent),
    "input_dependence": JudgedFigure("input dependence", percent),
}


def write_limit(figure: str, threshold: float) -> str:
    """Formats the threshold of an anomaly, such as at least 10%."""
    beyond = "below" if figure in LOW_IS_WORSE else "at least"
    return f"{beyond} {JUDGED[figure].write(threshold).replace('.0%', '%')}"


@dataclass(frozen=True)
class Card:
    """A verdict as the page shows it.

    Attributes:
        title: The anomaly.
        state: `found`, `healthy`, or `none` if the architecture cannot have it.
        number: In how many places it was found.
        sentence: What was found.
        cases: The places, with the thresholds; None if there are none.
        advice: What to try next.
    """

    title: str
    state: str
    number: str
    sentence: str
    cases: Table | None
    advice: str


@dataclass(frozen=True)
class RunOverview:
    """A run in one line, and its verdicts.

    Attributes:
        name: The run.
        facts: Facts about the run, such as `seed 0`.
        cards: The verdicts.
    """

    name: str
    facts: Sequence[str]
    cards: Sequence[Card]

    @property
    def found(self) -> int:
        """The number of anomalies that were found."""
        return sum(card.state == "found" for card in self.cards)

    @property
    def result(self) -> str:
        """What was found, in a few words."""
        return any_of(self.found, "anomaly") if self.found else "no anomaly"


def make_overview(runs: Runs) -> list[RunOverview]:
    """Makes the overview of each run for the first screen."""
    return [
        RunOverview(name, _facts(one), [_make_card(v) for v in one["verdicts"]])
        for name, one in runs.items()
    ]


def summary_table(runs: Runs) -> Table:
    """Summarises each whole model in a few numbers."""
    each = [summarize(one) for one in runs.values()]
    names = dict.fromkeys(name for one in each for name in one)
    rows = [[name, *(_three_digits(one.get(name)) for one in each)] for name in names]
    return Table("The whole model in numbers", ["figure", *runs], rows)


def _three_digits(value: float | None) -> str:
    if value is not None and value == int(value) and abs(value) < 1e6:
        return whole(value)
    return decimal(value)


def _facts(one: Mapping[str, Any]) -> list[str]:
    metrics = one["metrics"]
    facts = [
        architecture_of(one),
        f"{any_of(len(metrics['auc']), 'task')} in "
        f"{any_of(len(one['task_groups']), 'group')}",
        f"{one['split']} split, {whole(one['rows'])} rows",
        f"seed {one['seed']}",
    ]
    for metric, title in (("mean_auc", "mean AUC"), ("mean_gauc", "mean GAUC")):
        if metrics.get(metric) is not None:
            facts.append(f"{title} {decimal(metrics[metric])}")
    return facts


def _make_card(verdict: Mapping[str, Any]) -> Card:
    cases, checked = verdict["cases"], verdict["checked"]
    state = "found" if cases else "healthy" if checked else "none"
    return Card(
        title=TITLES.get(verdict["kind"], verdict["kind"].replace("_", " ")),
        state=state,
        number=f"{len(cases)} of {checked}" if checked else "",
        sentence=verdict["sentence"],
        cases=_case_table(cases) if cases else None,
        advice=verdict["advice"],
    )


def _case_table(cases: Sequence[Mapping[str, Any]]) -> Table:
    rows = []
    for case in cases:
        figure = JUDGED[case["figure"]]
        value = figure.write(case["value"])
        limit = write_limit(case["figure"], case["threshold"])
        rows.append([case["subject"], figure.title, value, limit])
    columns = ["where", "figure", "value", "flagged if"]
    return Table("Cases, the worst first", columns, rows, words=[1])
