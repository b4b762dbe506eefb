"""What a watch-time task brings to the other tasks of KuaiRand, or costs them.

    python benchmarks/watch_time.py --source path/to/excerpt --work FOLDER \
        --out docs/results/watch_time

HoME and MMoE with all tasks of `pipelines/kuairand.yaml`, and without `watch_time`,
tested on 3 May 2022, by the same seeds; differences are paired.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from home_tf.config import Config, load_config, override_config
from home_tf.config.schema import to_values
from home_tf.evaluation import percentile_interval
from home_tf.lab.comparison import compare, compared_models
from home_tf.lab.comparison.training import Training

ROOT = Path(__file__).parents[1]
YAML = ROOT / "pipelines" / "kuairand.yaml"
WATCH_TIME = "watch_time"
SPLIT = {"data.split": {"by": "days", "validation": 20220502, "test": 20220503}}
METRICS = ("auc", "gauc")


def main() -> None:
    """Runs both comparisons and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    all_tasks = load_config(YAML, SPLIT)
    for name, config in (
        ("without", without_watch_time(all_tasks)),
        ("with", all_tasks),
    ):
        compare(
            config,
            given.source,
            given.work / name,
            architectures=["mmoe"],
            seeds=given.seeds,
            folds=1,
            trials=0,
            jobs=given.jobs,
        )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "table.md").write_text(make_table(given.work, given.seeds))


def without_watch_time(config: Config) -> Config:
    """The configuration without the task."""
    tasks = to_values(config)["tasks"]
    del tasks[WATCH_TIME]
    return override_config(config, {"tasks": tasks})


def make_table(work: Path, seeds: int) -> str:
    """With watch time minus without, by task, for each model."""
    config = without_watch_time(load_config(YAML))
    monitored = list(config.training.monitor_tasks or config.tasks)
    lines = [
        "# What watch time gives the other tasks\n",
        f"With the task `watch_time` minus without, {seeds} seeds; 95 % intervals over "
        "users.\n",
        "| | HoME: AUC | GAUC | MMoE: AUC | GAUC |",
        "|---|---|---|---|---|",
    ]
    rows = {**{task: [task] for task in config.tasks}, "mean": monitored}
    for name, tasks in rows.items():
        cells = [
            show(*difference(work, model, seeds, tasks, metric))
            for model in compared_models(["mmoe"])
            for metric in METRICS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    with_it = work / "with"
    watch = [
        f"{mean_of(trainings_of(with_it, model, seeds), metric, [WATCH_TIME]):.4f}"
        for model in compared_models(["mmoe"])
        for metric in METRICS
    ]
    lines.append(f"| watch_time itself | {' | '.join(watch)} |")
    lines.append(f"\nThe mean is over {', '.join(monitored)}.\n")
    return "\n".join(lines)


def trainings_of(out: Path, model: Any, seeds: int) -> list[Training]:
    """The trainings of a model, one per seed."""
    return [Training(model, 0, seed, out) for seed in range(seeds)]


def mean_of(trainings: list[Training], metric: str, tasks: list[str]) -> float:
    """The mean of a metric over trainings and tasks."""
    return float(np.mean([[c.load()[metric][t] for t in tasks] for c in trainings]))


def difference(
    work: Path, model: Any, seeds: int, tasks: list[str], metric: str
) -> tuple[float, tuple[float, float]]:
    """The difference of the means over tasks and seeds, and its interval."""
    values, drawn = [], []
    for name in ("with", "without"):
        trainings = trainings_of(work / name, model, seeds)
        values.append(mean_of(trainings, metric, tasks))
        found = [c.replicates(tasks, [metric])[metric] for c in trainings]
        drawn.append(np.mean(found, axis=(0, 1)))
    return values[0] - values[1], percentile_interval(drawn[0] - drawn[1])


def show(value: float, interval: tuple[float, float]) -> str:
    """Formats a difference with its interval."""
    low, high = interval
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


if __name__ == "__main__":
    main()
