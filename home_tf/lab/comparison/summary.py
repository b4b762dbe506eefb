"""All trainings of a comparison as one summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from home_tf.evaluation import mean_of_defined
from home_tf.files import read_json
from home_tf.lab.comparison.compared_model import HOME, ComparedModel
from home_tf.lab.comparison.plan import Plan, choice_file
from home_tf.lab.comparison.statistics import Estimate, Results
from home_tf.lab.comparison.training import Training

MEAN = "mean"
MONITORED_MEAN = "monitored_mean"


@dataclass(frozen=True)
class Row:
    """The results of a model.

    Attributes:
        model: The model.
        results: `{metric: Results}`.
        contents: `training.json` of its trainings, by fold and seed.
        errors: Why other trainings are missing, by training.
        params: Trainable weights without embedding tables; for LightGBM the leaves.
        flops: FLOPs of a network's forward pass for one example, or None.
        parameters: The chosen hyper-parameters.
    """

    model: ComparedModel
    results: dict[str, Results]
    contents: dict[tuple[int, int], dict[str, Any]]
    errors: dict[str, str]
    params: float | None
    flops: int | None
    parameters: dict[str, Any]

    @property
    def examples_per_second(self) -> float | None:
        """The median training speed of the trainings."""
        speeds = [c["examples_per_second"] for c in self.contents.values()]
        speeds = [speed for speed in speeds if speed is not None]
        return round(float(np.median(speeds)), 1) if speeds else None

    @property
    def lead_over_single_feature(self) -> float:
        """Mean AUC over tasks and trainings minus that of ranking by a single feature.

        NaN without trainings.
        """
        leads = [
            mean_of_defined(list(content["auc"].values()))
            - mean_of_defined(list(content["single_feature_auc"].values()))
            for content in self.contents.values()
        ]
        return float(mean_of_defined(leads))

    @property
    def best_epochs(self) -> dict[str, int]:
        """Counts the trainings by their best epoch; empty for LightGBM."""
        networks = [c for c in self.contents.values() if c["history"]]
        found = Counter(content["best_epoch"] for content in networks)
        return {f"{epoch:g}": found[epoch] for epoch in sorted(found)}

    @property
    def verdicts(self) -> dict[str, tuple[int, int]]:
        """Counts the trainings with each anomaly, and all that could have it."""
        judged = [content["verdicts"] for content in self.contents.values()]
        kinds = dict.fromkeys(kind for one in judged for kind in one)
        return {
            kind: (
                sum(one[kind] for one in judged if kind in one),
                sum(kind in one for one in judged),
            )
            for kind in kinds
        }


@dataclass(frozen=True)
class Summary:
    """The whole comparison.

    Attributes:
        plan: Its settings.
        tasks: Names of the tasks.
        rows: The models; HoME first.
    """

    plan: Plan
    tasks: list[str]
    rows: list[Row]

    @property
    def names(self) -> list[str]:
        """The tasks, and the mean over them, as `Results.estimates` has them."""
        return [*self.tasks, MEAN]

    @property
    def monitored(self) -> list[int]:
        """The numbers of the tasks in `training.monitor_tasks`; by default all."""
        monitored = self.plan.config.training.monitor_tasks or self.tasks
        return [self.tasks.index(task) for task in monitored]

    @property
    def monitors_some(self) -> bool:
        """Whether the monitored tasks are fewer than all."""
        return len(self.monitored) < len(self.tasks)

    @property
    def rare_tasks(self) -> list[str]:
        """The tasks with fewer than 100 positives in a fold's test rows, on average."""
        positives = [
            [content["positives"][task] for task in self.tasks]
            for row in self.rows
            for content in row.contents.values()
        ]
        if not positives:
            return []
        means = np.mean(positives, axis=0)
        return [t for t, mean in zip(self.tasks, means, strict=True) if mean < 100]

    @property
    def too_short(self) -> list[str]:
        """The models that do not beat a single feature: too bad to compare."""
        return [
            row.model.name for row in self.rows if row.lead_over_single_feature <= 0
        ]

    @property
    def still_learning(self) -> list[str]:
        """The networks whose best epoch was the last one in most trainings."""
        epochs = str(self.plan.config.training.epochs)
        return [
            row.model.name
            for row in self.rows
            if 2 * row.best_epochs.get(epochs, 0) > sum(row.best_epochs.values())
        ]

    @property
    def seeds(self) -> int:
        """The number of seeds with results of HoME."""
        return len({seed for _, seed in self.home.contents})

    @property
    def home(self) -> Row:
        """The results of HoME."""
        return next(row for row in self.rows if row.model.name == HOME)

    @property
    def best_baseline(self) -> Row | None:
        """The baseline network with the highest mean on the test rows.

        The mean is that of the plan's main metric.

        It is selected in hindsight, so HoME's lead over it is a conservative estimate.
        A baseline with missing trainings is selected only if all have some, because its
        mean is not over the same rows.
        """
        baselines = [row for row in self.rows if row.model.is_baseline]
        baselines = [row for row in baselines if not row.errors] or baselines
        scores = {
            i: row.results[self.plan.main_metric].estimates()[-1].value
            for i, row in enumerate(baselines)
        }
        defined = {i: score for i, score in scores.items() if not np.isnan(score)}
        return baselines[max(defined, key=defined.__getitem__)] if defined else None

    @property
    def origins(self) -> dict[str, int]:
        """The provenances of the trainings, as text, with their counts."""
        return dict(
            Counter(
                _origin(content)
                for row in self.rows
                for content in row.contents.values()
            )
        )

    @property
    def opponent(self) -> Row:
        """The model that the tables compare with: the best baseline, else HoME."""
        return self.best_baseline or self.home

    def to_json(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        best = self.best_baseline
        return {
            "tasks": self.tasks,
            "folds": list(self.plan.splits),
            "group_by": self.plan.group_by,
            "budget": self.plan.budget,
            "trials": self.plan.trials,
            "tuning_seeds": self.plan.tuning_seeds,
            "metric": self.plan.metric,
            "replicates": self.plan.replicates,
            "provenance": self.origins,
            "best_baseline": best.model.name if best else None,
            "too_short_to_compare": self.too_short,
            "architectures": {
                row.model.name: self._row_to_json(row, best) for row in self.rows
            },
        }

    def _row_to_json(self, row: Row, best: Row | None) -> dict[str, Any]:
        values: dict[str, Any] = {
            "architecture": row.model.architecture,
            "variant": row.model.variant,
            "params": row.params,
            "flops": row.flops,
            "examples_per_second": row.examples_per_second,
            "parameters": row.parameters,
            "trainings": len(row.contents),
            "missing": row.errors,
            "lead_over_single_feature": _plain(row.lead_over_single_feature),
            "best_epochs": row.best_epochs,
            "verdicts": {
                kind: {"found": found, "trainings": trainings}
                for kind, (found, trainings) in row.verdicts.items()
            },
        }
        for metric in self.plan.metrics:
            mine = row.results[metric]
            deviation = mine.seed_deviation()
            values[metric] = {
                "means": self._means(mine),
                "seed_deviation": None if np.isnan(deviation) else deviation,
                "difference_to_home": self._difference(mine, self.home, metric),
                "difference_to_best_baseline": self._difference(mine, best, metric),
            }
        return values

    def _difference(
        self, mine: Results, other: Row | None, metric: str
    ) -> dict[str, Any] | None:
        if other is None or other.results[metric] is mine:
            return None
        theirs = other.results[metric]
        dense = [results.of_tasks(self.monitored) for results in (mine, theirs)]
        found = [*mine.differences(theirs), dense[0].differences(dense[1])[-1]]
        return self._to_json(found)

    def _means(self, results: Results) -> dict[str, Any]:
        monitored = results.of_tasks(self.monitored).estimates()[-1]
        return self._to_json([*results.estimates(), monitored])

    def _to_json(self, estimates: Sequence[Estimate]) -> dict[str, Any]:
        return {
            name: estimate.to_json()
            for name, estimate in zip(
                [*self.names, MONITORED_MEAN], estimates, strict=True
            )
        }


def summarize(plan: Plan, trainings: Sequence[Training]) -> Summary:
    """Reads the trainings of a comparison.

    Args:
        plan: The settings.
        trainings: All trainings, finished or not.

    Returns:
        The summary.
    """
    tasks = list(plan.config.tasks)
    shape = (
        len(plan.splits),
        1 + max(training.seed for training in trainings),
        len(tasks),
    )
    rows = [
        _row(plan, [t for t in trainings if t.model == model], tasks, shape)
        for model in dict.fromkeys(training.model for training in trainings)
    ]
    return Summary(plan=plan, tasks=tasks, rows=rows)


def _row(
    plan: Plan, trainings: list[Training], tasks: list[str], shape: tuple[int, int, int]
) -> Row:
    model = trainings[0].model
    contents = {(t.fold, t.seed): t.load() for t in trainings if t.is_finished}
    file = choice_file(trainings[0].out, model)
    chosen = read_json(file) if file.is_file() else {}
    leaves = [content["params"] for content in contents.values()]
    return Row(
        model=model,
        results=_results(plan, trainings, contents, tasks, shape),
        contents=contents,
        errors={str(t): _error(t) for t in trainings if not t.is_finished},
        params=chosen.get("params") or (float(np.mean(leaves)) if leaves else None),
        flops=chosen.get("flops") or None,
        parameters=chosen.get("parameters", {}),
    )


def _results(
    plan: Plan,
    trainings: list[Training],
    contents: dict[tuple[int, int], dict[str, Any]],
    tasks: list[str],
    shape: tuple[int, int, int],
) -> dict[str, Results]:
    found = {
        metric: Results(
            np.full(shape, np.nan), np.full((*shape, plan.replicates), np.nan)
        )
        for metric in plan.metrics
    }
    for training in trainings:
        if (training.fold, training.seed) not in contents:
            continue
        drawn = training.replicates(tasks, plan.metrics)
        for metric, results in found.items():
            values = contents[training.fold, training.seed][metric]
            results.values[training.fold, training.seed] = [
                np.nan if values[task] is None else values[task] for task in tasks
            ]
            results.replicates[training.fold, training.seed] = drawn[metric]
    return found


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value


def _origin(content: dict[str, Any]) -> str:
    if "versions" not in content:
        return "an unknown version"
    versions = ", ".join(f"{k} {v}" for k, v in content["versions"].items())
    revision = content["git_revision"] or "unknown"
    return f"{versions}, revision {revision}, threads {content['threads']}"


def _error(training: Training) -> str:
    if training.error_file.is_file():
        return training.error_file.read_text(encoding="utf-8").strip()
    return "was not run to its end"
