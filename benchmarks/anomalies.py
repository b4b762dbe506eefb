"""Which anomalies do experts have, when, and which part of HoME removes them?

    python benchmarks/anomalies.py --source path/to/excerpt --work FOLDER \
        --out docs/results/anomalies

Trains MMoE with six ReLU experts, CGC, PLE, and HoME with and without each of its
parts, in several regimes, on KuaiRand and on generated logs, over five seeds. After
each epoch it measures the experts on all rows of the test day. It writes `figures.csv`,
with a line for each epoch, `verdicts.md`, with the verdicts at the best and at the last
epoch, and `experts.png`, MMoE's experts and HoME's side by side. Trainings that are
finished are kept in FOLDER; `--regimes` trains a part of them.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

# The models by their names in `home-tf compare`.
PEERS = ("mmoe", "cgc", "ple")
PARTS = ("home-fg", "home-sg", "home-mask", "home-fg-sg-mask")
ALL = ("mmoe", "home", "home-relu", "cgc", "ple", *PARTS, "mmoe*")
MMOE_EXPERTS = {"model.architecture.num_experts": 6}
# The defaults have changed since the experiment.
SETTINGS = {
    "model.prior_initialization": False,
    "training.epochs": 3,
    "training.learning_rate": 0.001,
    "training.patience": 1,
    "training.reset_embeddings": False,
}
# Six epochs without early stopping, at five times the learning rate.
HARSH = {
    "training.epochs": 6,
    "training.patience": 6,
    "training.learning_rate": 0.005,
}
DEEP = {"model.architecture.expert.units": [128, 64, 64]}
LOGS = {"users": 4000, "videos": 2000, "days": 12, "rows": 120_000}
# Settings, the generator's arguments (else KuaiRand's logs), the factor on normalised
# inputs, and the models.
REGIMES = {
    "configured": ({}, None, 1, ALL),
    "generated": ({}, {}, 1, (*PEERS, "home", "home-relu")),
    "generated, rarer": ({}, {"density_gap": 4.0}, 1, ("mmoe", "home")),
    "unscaled": ({}, None, 100, ("mmoe", "home")),
    "harsh": (HARSH, None, 1, (*PEERS, "home")),
    "harsh, deep, unscaled": ({**HARSH, **DEEP}, None, 100, ("mmoe", "ple")),
}
SEEDS = 5
# The median of MMoE's five, by the dead dimensions of its worst expert.
DRAWN_SEED = 2


class Regime:
    """A way to train, and the rows that are trained on."""

    def __init__(self, name, data, work):
        from home_tf.config import load_config
        from home_tf.data import DatasetDirectory
        from home_tf.features import Preprocessor
        from home_tf.lab.comparison.fold import make_folds, prepare_fold
        from home_tf.lab.comparison.split_data import SplitData

        settings, generated, self.factor, self.models = REGIMES[name]
        self.name, self.folder = name, work / folder_name(name)
        source = data if generated is None else generate_logs(generated, work)
        yaml = Path(__file__).parents[1] / "pipelines" / "kuairand.yaml"
        self.config = load_config(yaml, {**SETTINGS, **settings})
        records = work / f"{source.name}-records"
        fold = make_folds(self.config, source, records, 1)[0]
        prepare_fold(fold, self.config, source, print)
        records = DatasetDirectory(fold.folder)
        self.preprocessor = Preprocessor(self.config.features, records)
        self.splits = {
            split: self.scale(
                SplitData.load(self.config, records, split, self.preprocessor)
            )
            for split in ("train", "validation", "test")
        }

    def scale(self, split):
        """Scales the normalised numbers of a split by a factor."""
        from home_tf.features.preprocessor import NUMERIC_FEATURES

        scaled = split.features[NUMERIC_FEATURES] * self.factor
        return replace(split, features={**split.features, NUMERIC_FEATURES: scaled})

    def run(self, model):
        """Trains all seeds of a model that are not finished."""
        from home_tf.files import write_json

        trainer = None
        for seed in range(SEEDS):
            file = self.file(model, seed)
            if not file.is_file():
                trainer = trainer or self.make_trainer(model)
                file.parent.mkdir(parents=True, exist_ok=True)
                write_json(file, self.train(trainer, seed))
                print(f"{self.name}, {model}, seed {seed}", flush=True)

    def file(self, model, seed):
        """The file of a training."""
        return self.folder / model.replace("*", "-star") / f"seed-{seed}.json"

    def make_trainer(self, model):
        """A trainer of a model of the comparison."""
        from home_tf.config import override_config
        from home_tf.lab.comparison.compared_model import compared_models
        from home_tf.lab.comparison.network_trainer import NetworkTrainer
        from home_tf.lab.comparison.plan import model_config

        config = model_config(self.config, compared_models([model])[-1])
        if model.startswith("mmoe"):
            config = override_config(config, MMOE_EXPERTS)
        train, validation = self.splits["train"], self.splits["validation"]
        return NetworkTrainer(config, self.preprocessor, train, validation, "auc")

    def train(self, trainer, seed):
        """Trains a seed, and measures the experts after each epoch."""
        epochs = []
        test = self.splits["test"]
        result = trainer.fit(
            seed, after_epoch=lambda: epochs.append(trainer.measure_experts(test))
        )
        aucs = [epoch["score"] for epoch in result.history]
        return {"best_epoch": int(result.best_epoch), "AUC": aucs, "epochs": epochs}


def generate_logs(arguments, work):
    """Generates the logs, unless they exist, and returns their folder."""
    from home_tf.lab.synthetic import generate

    logs = (
        work / f"logs-{'-'.join(f'{k}{v:g}' for k, v in arguments.items()) or 'usual'}"
    )
    if not logs.is_dir():
        generate(logs, **LOGS, **arguments)
    return logs


def folder_name(regime):
    """The name of a regime's folder."""
    return regime.replace(", ", "-")


def load_trainings(work):
    """Loads the finished trainings, `{(regime, model): [training of each seed]}`."""
    found = {}
    for name, (*_, models) in REGIMES.items():
        for model in models:
            folder = work / folder_name(name) / model.replace("*", "-star")
            files = sorted(folder.glob("seed-*.json"))
            if files:
                found[name, model] = [load_training(file) for file in files]
    return found


def load_training(file):
    """Loads a training, with each epoch summarised and judged."""
    from home_tf.diagnosis import judge
    from home_tf.diagnosis.summary import summarize
    from home_tf.files import read_json

    training = read_json(file)
    training["epochs"] = [
        {
            "AUC": auc,
            "figures": summarize(figures),
            "verdicts": {v.kind: v.is_found for v in judge(figures) if v.checked},
        }
        for auc, figures in zip(training["AUC"], training["epochs"], strict=True)
    ]
    return training


def draw_experts(work, file):
    """Draws MMoE next to HoME: the best epoch of a seed, as configured."""
    from home_tf.diagnosis.report import side_by_side
    from home_tf.files import read_json

    diagnoses = {}
    for model, name in (("mmoe", "MMoE"), ("home", "HoME")):
        seed = work / "configured" / model / f"seed-{DRAWN_SEED}.json"
        training = read_json(seed)
        figures = training["epochs"][training["best_epoch"] - 1]
        diagnoses[name] = {"architecture": model, **figures}
    side_by_side(diagnoses).savefig(file, dpi=150)


def write_csv(trainings, file):
    """Writes a line for each epoch."""
    each = [e for t in trainings.values() for one in t for e in one["epochs"]]
    names = list(dict.fromkeys(name for epoch in each for name in epoch["figures"]))
    header = ["regime", "model", "seed", "epoch", "is_best", "validation AUC", *names]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        for (regime, model), seeds in trainings.items():
            for seed, training in enumerate(seeds):
                for number, epoch in enumerate(training["epochs"], start=1):
                    is_best = int(number == training["best_epoch"])
                    values = [epoch["figures"].get(name, "") for name in names]
                    values = [v if v == "" else f"{v:.4g}" for v in values]
                    auc = f"{epoch['AUC']:.4f}"
                    writer.writerow(
                        [regime, model, seed, number, is_best, auc, *values]
                    )


# What of the summary stands beside the verdicts, and as what.
COLUMNS = {
    "most dead dimensions of an expert": "dead dimensions",
    "mean share of zeros": "zeros",
    "largest contribution of a shared expert": "contribution",
    "largest monopoly of a shared expert": "monopoly",
    "lowest own mass of a task, of an even share": "own mass",
    "largest similarity of siblings": "similarity",
    "lowest effect of a feature gate": "effect",
    "lowest input dependence of a gate": "input dependence",
}
KINDS = {
    "collapse": "collapse",
    "degradation": "degradation",
    "underfitting": "underfitting",
    "twin_experts": "twins",
    "dead_feature_gate": "dead feature gate",
    "constant_gate": "constant gate",
}


def write_table(trainings, file):
    """Writes how many seeds show each anomaly, and the figures behind it."""
    parts = ["# Anomalies by regime", *_tables(trainings, best=True)]
    parts += ["# At the last epoch", *_tables(trainings, best=False)]
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _tables(trainings, *, best):
    for regime in dict.fromkeys(regime for regime, _ in trainings):
        models = {m: seeds for (r, m), seeds in trainings.items() if r == regime}
        yield f"## {regime}" + ("" if best else ", last epoch")
        lines = [_line(["model", "AUC", *KINDS.values()])]
        lines.append(_line(["---"] + ["---:"] * (1 + len(KINDS))))
        figures = [_line(["model", *COLUMNS.values()])]
        figures.append(_line(["---"] + ["---:"] * len(COLUMNS)))
        for model, seeds in models.items():
            epochs = [s["epochs"][s["best_epoch"] - 1 if best else -1] for s in seeds]
            name = model.replace("*", r"\*")
            auc = sum(epoch["AUC"] for epoch in epochs) / len(epochs)
            counts = [_count(epochs, kind) for kind in KINDS]
            lines.append(_line([name, f"{auc:.4f}", *counts]))
            ranges = [_range([e["figures"].get(n) for e in epochs]) for n in COLUMNS]
            figures.append(_line([name, *ranges]))
        yield "\n".join(lines)
        yield "\n".join(figures)


def _count(epochs, kind):
    found = [epoch["verdicts"].get(kind) for epoch in epochs]
    return "-" if None in found else f"{sum(found)} of {len(found)}"


def _range(values):
    """Formats the minimum, median and maximum over the seeds."""
    if None in values:
        return "-"
    values = sorted(values)
    low, middle, high = (f"{values[i]:.2f}" for i in (0, len(values) // 2, -1))
    return f"{middle} [{low}, {high}]"


def _line(cells):
    return f"| {' | '.join(cells)} |"


def main():
    """Trains the missing models and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="KuaiRand's logs.")
    parser.add_argument(
        "--work", type=Path, required=True, help="For logs and trainings."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--regimes", nargs="*", choices=REGIMES, default=[*REGIMES])
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow("keras")
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.regimes:
        regime = Regime(name, options.source, options.work)
        for model in regime.models:
            regime.run(model)
    options.out.mkdir(parents=True, exist_ok=True)
    trainings = load_trainings(options.work)
    write_csv(trainings, options.out / "figures.csv")
    write_table(trainings, options.out / "verdicts.md")
    draw_experts(options.work, options.out / "experts.png")


if __name__ == "__main__":
    main()
