"""What a task of watch times gives the other tasks of KuaiRand, or costs them.

    python benchmarks/watch_time.py --source path/to/excerpt --work FOLDER \
        --out docs/results/watch_time

HoME and MMoE with the ten tasks of `pipelines/kuairand.yaml`, and with watch time as
the eleventh, tested on 3 May 2022, by the same seeds; differences are paired.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from home_tf.config import load_config
from home_tf.evaluation import percentile_interval
from home_tf.lab.comparison import compare, contenders
from home_tf.lab.comparison.cell import Cell

ROOT = Path(__file__).parents[1]
WATCH_TIME = {
    "data.columns.watch_time": "least(play_time_ms, 300000) / 1000",
    "tasks.watch_time": {"group": "watch", "type": "regression", "loss": "log1p"},
}
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
    for name, changes in (("without", {}), ("with", WATCH_TIME)):
        config = load_config(ROOT / "pipelines" / "kuairand.yaml", {**SPLIT, **changes})
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


def make_table(work: Path, seeds: int) -> str:
    """With watch time minus without, by task, for each model."""
    config = load_config(ROOT / "pipelines" / "kuairand.yaml")
    monitored = list(config.training.monitor_tasks or config.tasks)
    lines = [
        f"With the task `watch_time` minus without, {seeds} seeds; 95 % intervals over "
        "users.\n",
        "| | HoME: AUC | GAUC | MMoE: AUC | GAUC |",
        "|---|---|---|---|---|",
    ]
    rows = {**{task: [task] for task in config.tasks}, "mean": monitored}
    for name, tasks in rows.items():
        cells = [
            show(*difference(work, contender, seeds, tasks, metric))
            for contender in contenders(["mmoe"])
            for metric in METRICS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    watch = [
        f"{mean_of(cells_of(work / 'with', one, seeds), metric, ['watch_time']):.4f}"
        for one in contenders(["mmoe"])
        for metric in METRICS
    ]
    lines.append(f"| watch_time itself | {' | '.join(watch)} |")
    lines.append(f"\nThe mean is over {', '.join(monitored)}.\n")
    return "\n".join(lines)


def cells_of(out: Path, contender: Any, seeds: int) -> list[Cell]:
    """The cells of a model, a seed each."""
    return [Cell(contender, 0, seed, out) for seed in range(seeds)]


def mean_of(cells: list[Cell], metric: str, tasks: list[str]) -> float:
    """The mean of a metric over cells and tasks."""
    return float(np.mean([[c.load()[metric][t] for t in tasks] for c in cells]))


def difference(
    work: Path, contender: Any, seeds: int, tasks: list[str], metric: str
) -> tuple[float, tuple[float, float]]:
    """The difference of the means over tasks and seeds, and its interval."""
    values, drawn = [], []
    for name in ("with", "without"):
        cells = cells_of(work / name, contender, seeds)
        values.append(mean_of(cells, metric, tasks))
        found = [c.replicates(tasks, [metric])[metric] for c in cells]
        drawn.append(np.mean(found, axis=(0, 1)))
    return values[0] - values[1], percentile_interval(drawn[0] - drawn[1])


def show(value: float, interval: tuple[float, float]) -> str:
    """A difference with its interval."""
    low, high = interval
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"


if __name__ == "__main__":
    main()
