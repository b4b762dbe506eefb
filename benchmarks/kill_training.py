"""Trainings that are killed at random moments, and what becomes of them.

    python benchmarks/kill_training.py --out FOLDER [--faults 30] [--framework keras]

Generates logs, prepares them by `pipelines/kuairand.yaml` and trains once undisturbed.
Then it trains again, in another process each time, and disturbs each at a random
moment: by `kill -9`, by SIGTERM, and by `kill -9` after which half of the last
checkpoint is cut off. It ends with a training that is left alone, compares all that the
last checkpoint holds, and the history, with those of the undisturbed one, and prints
what it found as JSON. A run that ends before its fault is compared too, and another one
is begun.
"""

import argparse
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

KINDS = ("kill -9", "SIGTERM", "kill -9, last checkpoint cut")
ROOT = Path(__file__).parents[1]


def main():
    """Trains, disturbs, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--framework", choices=("tfrs", "keras"), default="keras")
    options = parser.parse_args()

    home_tf = Commands(options.out, options.framework)
    home_tf.prepare(options.rows)
    start = time.monotonic()
    home_tf.finish("undisturbed")
    longest = time.monotonic() - start
    chance, found = random.Random(options.seed), Faults()
    name = "disturbed-0"
    while found.number < options.faults:
        kind = KINDS[found.number % len(KINDS)]
        if not found.add(kind, home_tf.disturb(name, kind, chance, longest)):
            found.compare(options.out / name, options.out / "undisturbed")
            name = f"disturbed-{found.runs}"
    home_tf.finish(name)
    found.compare(options.out / name, options.out / "undisturbed")
    print(json.dumps(found.result(), indent=2))


class Commands:
    """Runs `home-tf` in processes of its own."""

    def __init__(self, out, framework):
        self.out, self.framework = out, framework
        out.mkdir(parents=True, exist_ok=True)

    def prepare(self, rows):
        """Generates the logs and the dataset directory."""
        text = (ROOT / "pipelines" / "kuairand.yaml").read_text("utf-8")
        training = {"epochs": 2, "patience": 9, "validate_every": 20,
                    "checkpoint_every": 7, "monitor_experts": 0}  # fmt: skip
        for key in training:
            text = re.sub(rf"^  {key}:.*\n", "", text, flags=re.MULTILINE)
        lines = "".join(f"  {key}: {value}\n" for key, value in training.items())
        text = text.replace("\ntraining:\n", f"\ntraining:\n{lines}")
        (self.out / "config.yaml").write_text(text, encoding="utf-8")
        if not (self.out / "records").is_dir():
            self.run("generate", "kuairand", "--out", self.out / "logs", "--rows", rows)
            self.run(
                "prepare", "--config", self.out / "config.yaml",
                "--source", self.out / "logs", "--out", self.out / "records",
            )  # fmt: skip

    def run(self, *arguments):
        """Runs a command to its end."""
        process = self.start(*arguments)
        assert process.wait() == 0, arguments

    def start(self, *arguments):
        """Starts a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "home_tf", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def train(self, name):
        """Starts a training."""
        return self.start(
            "train", "--config", self.out / "config.yaml", "--data",
            self.out / "records", "--out", self.out / name,
            "--framework", self.framework,
        )  # fmt: skip

    def finish(self, name):
        """Trains to the end."""
        if (self.out / name).is_dir() and name == "undisturbed":
            shutil.rmtree(self.out / name)
        assert self.train(name).wait() == 0, name

    def disturb(self, name, kind, chance, longest):
        """Trains and disturbs it; returns the step resumed from, None if it ended.

        Every second fault comes at any moment from the start of the process, the others
        soon after a checkpoint, so that the training gets on.
        """
        folder = self.out / name / "checkpoints"
        process, before = self.train(name), last_step(folder)
        deadline = time.monotonic() + 10 * longest + 60
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0.0, longest))
        else:
            while last_step(folder) == before and process.poll() is None:
                assert time.monotonic() < deadline, "no checkpoint is written"
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
        if process.poll() is not None:
            assert process.returncode == 0, name
            return None
        by_term = kind == "SIGTERM"
        process.send_signal(signal.SIGTERM if by_term else signal.SIGKILL)
        code = process.wait()
        # SIGTERM as Python starts, before there is a handler, kills.
        assert code in ({143, -signal.SIGTERM, 0} if by_term else {-signal.SIGKILL})
        if kind.endswith("cut"):
            cut(folder)
        return last_step(folder)


def last_step(folder):
    """The step of the last checkpoint; 0 if there is none."""
    names = [path.name for path in folder.glob("step-*")]
    return max((int(name.removeprefix("step-")) for name in names), default=0)


def cut(folder):
    """Cuts off half of the last checkpoint, if there is one before it."""
    saved = sorted(folder.glob("step-*"), key=lambda p: int(p.name[5:]))
    if len(saved) > 1:
        (data,) = saved[-1].glob("*.data-*")
        os.truncate(data, data.stat().st_size // 2)


class Faults:
    """Counts the faults and the recoveries, and keeps the largest differences."""

    def __init__(self):
        self.kinds, self.steps = Counter(), []
        self.runs, self.weights, self.metrics = 0, 0.0, 0.0

    @property
    def number(self):
        """Faults so far."""
        return sum(self.kinds.values())

    def add(self, kind, step):
        """Adds a fault; returns False if there was none, for the run had ended."""
        if step is None:
            return False
        self.kinds[kind] += 1
        self.steps.append(step)
        return True

    def compare(self, run, whole):
        """Compares a run that has ended with the undisturbed one."""
        self.runs += 1
        self.metrics = max(self.metrics, differ_in_metrics(run, whole))
        self.weights = max(self.weights, differ_in_weights(run, whole))

    def result(self):
        """What is printed."""
        return {
            "faults": dict(self.kinds),
            "runs": self.runs,
            "last checkpoint at each fault": self.steps,
            "largest difference of a metric": self.metrics,
            "largest difference of a weight": self.weights,
        }


def differ_in_metrics(run, whole):
    """The largest difference between two histories, which must have the same lines."""
    mine, others = (
        list(csv.DictReader((folder / "history.csv").open())) for folder in (run, whole)
    )
    assert [row["step"] for row in mine] == [row["step"] for row in others]
    pairs = zip(mine, others, strict=True)
    return max(abs(float(a[key]) - float(b[key])) for a, b in pairs for key in a)


def differ_in_weights(run, whole):
    """The largest difference between two last checkpoints."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np
    import tensorflow as tf

    def read(folder):
        last = folder / "checkpoints" / f"step-{last_step(folder / 'checkpoints')}"
        return tf.train.load_checkpoint(tf.train.latest_checkpoint(str(last)))

    mine, others = read(run), read(whole)
    names = mine.get_variable_to_shape_map()
    assert names == others.get_variable_to_shape_map()
    return max(
        float(np.max(np.abs(mine.get_tensor(n) - others.get_tensor(n)))) for n in names
    )


if __name__ == "__main__":
    main()
