"""When does the hierarchy of task groups help? A curve on generated logs.

    python benchmarks/hierarchy.py --out docs/results/hierarchy --work FOLDER

The generator knows how much its two task groups have in common
(`group_correlation`) and how rare interactions are (`density_gap`). For a row of values
of each this trains HoME, HoME without the hierarchy mask and MMoE with HoME's experts,
as `home-tf compare` does, and writes `hierarchy.csv` and `hierarchy.png`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

CORRELATIONS = (-0.8, 0.0, 0.5, 1.0)
DENSITY_GAPS = (0.25, 1.0, 4.0)
OTHERS = {"home-mask": "HoME without the mask", "mmoe*": "MMoE with HoME's experts"}
SETTINGS = {
    "model.prior_initialization": False,
    "training.epochs": 2,
    "training.learning_rate": 0.005,
    "training.patience": 1,
    "training.reset_embeddings": False,
}
LOGS = {"users": 1000, "videos": 500, "days": 5, "rows": 60_000}
COLUMNS = ("group_correlation", "density_gap", "architecture", "seed", "task", "auc")
# Left out of the curves: with only tens of positives their AUC is mostly noise.
RARE_TASKS = {"is_comment", "is_follow", "is_forward"}


def run_point(config, work, correlation, gap, *, seeds, jobs):
    """Trains all architectures on one kind of logs, and yields lines of the CSV."""
    from home_tf.lab.comparison import compare
    from home_tf.lab.synthetic import generate

    name = f"correlation{correlation:g}-gap{gap:g}"
    logs = work / f"{name}-logs"
    if not logs.is_dir():
        generate(logs, **LOGS, group_correlation=correlation, density_gap=gap)
    out = work / name
    missing = compare(
        config,
        logs,
        out,
        architectures=list(OTHERS),
        seeds=seeds,
        folds=1,
        trials=0,
        jobs=jobs,
        replicates=1,
    )
    if missing:
        raise SystemExit(
            f"{out}: {len(missing)} trainings have no result; run it again"
        )
    with (out / "trainings.csv").open(encoding="utf-8") as file:
        trainings = list(csv.DictReader(file))
    names = {"w/o mask": "-mask", "home experts": "*"}
    for training in trainings:
        if training["auc"]:
            name = training["architecture"] + names.get(training["variant"], "")
            seed, auc = int(training["seed"]), float(training["auc"])
            yield correlation, gap, name, seed, training["task"], auc


def gains_of(lines, points, other, tasks):
    """HoME's mean AUC over tasks minus another's, `(points, seeds)`."""
    found = {line[:5]: line[5] for line in lines}
    seeds = sorted({line[3] for line in lines})

    def mean(point, architecture, seed):
        return np.mean([found[(*point, architecture, seed, t)] for t in tasks])

    return np.array(
        [[mean(p, "home", s) - mean(p, other, s) for s in seeds] for p in points]
    )


def draw(lines, task_groups, file):
    """The gains of both groups along both rows of values; seeds are dots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2)
    rows = (
        ("correlation of the task groups", [(c, 1.0) for c in CORRELATIONS], 0),
        ("times rarer than in KuaiRand", [(0.0, g) for g in DENSITY_GAPS], 1),
    )
    for (label, points, at), row in zip(rows, axes, strict=True):
        x = [point[at] for point in points]
        for ax, (group, tasks) in zip(row, task_groups.items(), strict=True):
            tasks = [task for task in tasks if task not in RARE_TASKS]
            for other, name in OTHERS.items():
                gains = gains_of(lines, points, other, tasks)
                (line,) = ax.plot(x, gains.mean(axis=1), label=f"minus {name}")
                ax.plot(x, gains, ".", color=line.get_color(), alpha=0.5)
            ax.axhline(0, color="grey", linewidth=0.8)
            ax.set_xlabel(label)
            ax.set_title(f"{group}: {', '.join(tasks)}", fontsize=9)
            if at:
                ax.set_xscale("log")
                ax.set_xticks(x, [f"{value:g}" for value in x])
                ax.minorticks_off()
        row[0].set_ylabel("mean AUC: HoME ...")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    figure.savefig(file, dpi=120)


def main():
    """Trains, and writes the CSV and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--work", type=Path, required=True, help="For logs and trainings."
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow("keras")
    from home_tf.config import load_config

    pipelines = Path(__file__).parents[1] / "pipelines"
    config = load_config(pipelines / "kuairand.yaml", SETTINGS)
    points = [(correlation, 1.0) for correlation in CORRELATIONS]
    points += [(0.0, gap) for gap in DENSITY_GAPS if gap != 1.0]
    lines = []
    for correlation, gap in points:
        lines += run_point(
            config,
            options.work,
            correlation,
            gap,
            seeds=options.seeds,
            jobs=options.jobs,
        )
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "hierarchy.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerows([COLUMNS, *lines])
    draw(lines, config.task_groups, options.out / "hierarchy.png")


if __name__ == "__main__":
    main()
