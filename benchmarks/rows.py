"""How many rows do networks need to win? A curve on generated logs.

    python benchmarks/rows.py --out docs/results/rows --work FOLDER --rows 1e5 1e6

For each number of rows this generates logs with 25 rows a user, trains the models on
them as `home-tf compare` does, without tuning, and writes `rows.csv` and `rows.png`.
What is finished is kept in FOLDER.
"""

import argparse
import csv
from pathlib import Path

MODELS = ("home", "mmoe", "ple", "adatt", "lightgbm")
ROWS_A_USER = 25
DAYS = 12
COLUMNS = ("rows", "architecture", "seed", "auc", "gauc", "examples_per_second")
# Epochs at most, of which the best one counts, and seeds, up to a number of rows. With
# more rows an epoch has more steps, and a training takes longer.
EPOCHS_AND_SEEDS = {
    300_000: (6, 2),
    1_000_000: (3, 1),
    3_000_000: (2, 1),
    10**12: (1, 1),
}


def run(rows, work, *, jobs):
    """Trains all models on a number of rows, and yields lines of the CSV."""
    import numpy as np

    from home_tf.config import load_config
    from home_tf.lab.comparison import compare
    from home_tf.lab.synthetic import generate

    logs = work / f"logs-{rows}"
    if not logs.is_dir():
        users = rows // ROWS_A_USER
        generate(logs, users=users, videos=users // 2, days=DAYS, rows=rows)
    yaml = Path(__file__).parents[1] / "pipelines" / "kuairand.yaml"
    epochs, seeds = next(
        both for most, both in EPOCHS_AND_SEEDS.items() if rows <= most
    )
    config = load_config(yaml, {"training.epochs": epochs})
    out = work / f"compared-{rows}"
    missing = compare(
        config,
        logs,
        out,
        architectures=list(MODELS),
        seeds=seeds,
        folds=1,
        trials=0,
        jobs=jobs,
    )
    if missing:
        raise SystemExit(
            f"{out}: {len(missing)} trainings have no result; run it again"
        )
    monitored = config.training.monitor_tasks
    with (out / "trainings.csv").open(encoding="utf-8") as file:
        trainings = [
            training
            for training in csv.DictReader(file)
            if training["task"] in monitored
        ]
    for model in MODELS:
        for seed in range(seeds):
            mine = [
                training
                for training in trainings
                if training["architecture"] == model and int(training["seed"]) == seed
            ]
            means = [np.mean([float(c[m]) for c in mine]) for m in ("auc", "gauc")]
            speed = float(mine[0]["examples_per_second"])
            yield rows, model, seed, *(round(m, 5) for m in means), round(speed)


def draw(lines, file):
    """AUC and GAUC by number of rows, a line for each model, a dot for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots(1, 2)
    for number, (ax, metric) in enumerate(zip(axes, ("AUC", "GAUC"), strict=True)):
        for color, model in enumerate(MODELS):
            found = {}
            for rows, name, _, *values in lines:
                if name == model:
                    found.setdefault(rows, []).append(values[number])
            means = [sum(each) / len(each) for each in found.values()]
            ax.plot([*found], means, "-", color=f"C{color}", label=model)
            for rows, each in found.items():
                ax.plot([rows] * len(each), each, ".", color=f"C{color}")
        ax.set_xscale("log")
        ax.set_xlabel("rows of the log")
        ax.set_ylabel(f"mean {metric} of four tasks on the test day")
        ax.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(file, dpi=100)


def main():
    """Trains and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e5, 3e5, 1e6, 3e6])
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow("keras")
    lines = [
        line
        for rows in options.rows
        for line in run(int(rows), options.work, jobs=options.jobs)
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *lines])
    draw(lines, options.out / "rows.png")


if __name__ == "__main__":
    main()
