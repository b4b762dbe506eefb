"""Disturbs trainings at random moments, and checks how they recover.

    python benchmarks/faults.py --work FOLDER [--faults 30] [--framework keras]
        [--workers 1]

Generates logs, prepares them by `faults.yaml` and trains once undisturbed. Then it
trains again and again, and disturbs each training at a random moment by the next of the
faults below; with several workers `home-tf launch` starts them. After each fault no
process may be left, and the same command must go on with the run. A run that has ended
is compared with the undisturbed one: the lines of its history, and all that its last
checkpoint holds. The result is printed as JSON.
"""

import argparse
import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

CUT = ", last checkpoint cut in the middle"
KINDS = {
    "one process": (
        "kill -9",
        "SIGTERM",
        "kill -9" + CUT,
        "full disk",
        "stopped for 5 seconds",
    ),
    "several workers": (
        "kill -9 of the chief",
        "kill -9 of a worker",
        "SIGTERM to a worker",
        "kill -9 of the launcher",
        "kill -9 of the chief" + CUT,
        "full disk of the chief",
        "a worker stopped for 5 seconds",
    ),
}
CONFIG = Path(__file__).with_name("faults.yaml")
# No file can grow beyond so many bytes, of which a checkpoint has more.
FULL_DISK = (50_000, 50_000)
SECONDS_TO_END = 60
SECONDS_STOPPED = 5


def main():
    """Trains, disturbs, compares and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--framework", choices=("tfrs", "keras"), default="keras")
    options = parser.parse_args()

    training = Training(options.work, options.framework, options.workers)
    training.prepare(options.rows)
    whole = options.work / "undisturbed"
    for earlier in (whole, *options.work.glob("disturbed-*")):
        shutil.rmtree(earlier, ignore_errors=True)
    begin = time.monotonic()
    training.finish(whole)
    seconds = time.monotonic() - begin
    kinds = KINDS["one process" if options.workers == 1 else "several workers"]
    chance, found = random.Random(options.seed), Faults()
    run = options.work / "disturbed-0"
    while found.number < options.faults:
        kind = kinds[found.number % len(kinds)]
        if training.disturb(run, kind, chance, seconds):
            found.add(kind, last_step(run))
        else:
            found.compare(run, whole)
            run = options.work / f"disturbed-{found.runs}"
    training.finish(run)
    found.compare(run, whole)
    print(json.dumps(found.result(options, seconds), indent=2))


class Training:
    """Runs `home-tf train` in separate processes.

    Args:
        work: The folder of everything.
        framework: `tfrs` or `keras`.
        workers: How many processes train together.
    """

    def __init__(self, work, framework, workers):
        self.work, self.framework, self.workers = work, framework, workers
        self.said = work / "said.txt"
        work.mkdir(parents=True, exist_ok=True)
        self.said.unlink(missing_ok=True)

    def prepare(self, rows):
        """Generates the logs and the dataset directory, unless they exist."""
        logs, records = self.work / "logs", self.work / "records"
        if not records.is_dir():
            for command in (
                ("generate", "kuairand", "--out", logs, "--rows", rows),
                ("prepare", "--config", CONFIG, "--source", logs, "--out", records),
            ):
                assert self.start(*command).wait() == 0, command

    def start(self, *arguments):
        """Starts a command."""
        with self.said.open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "home_tf", *map(str, arguments)],
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def train(self, run):
        """Starts a training."""
        command = (
            *("train", "--config", CONFIG, "--data", self.work / "records"),
            *("--out", run, "--framework", self.framework),
        )
        if self.workers == 1:
            return self.start(*command)
        launch = ("launch", "--workers", self.workers, "--")
        return self.start(*launch, *command, "--strategy", "multi_worker")

    def finish(self, run):
        """Trains to the end."""
        self.check_end(self.train(run), {0}, set())

    def disturb(self, run, kind, chance, seconds):
        """Trains and disturbs it; returns False if it ended before.

        Every second fault comes at any moment from the start of the process, the others
        soon after a checkpoint, so that the training gets on.
        """
        process, before = self.train(run), last_step(run)
        deadline = time.monotonic() + 10 * seconds + 60
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0.0, seconds))
        else:
            while last_step(run) == before and process.poll() is None:
                assert time.monotonic() < deadline, "no checkpoint is written"
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
        trainers = [process.pid] if self.workers == 1 else children(process.pid)
        if process.poll() is not None or not trainers:
            self.check_end(process, {0}, set())
            return False
        self.do(kind, process, trainers)
        self.check_end(process, self.expected_codes(kind), set(trainers))
        if kind.endswith(CUT):
            cut(run)
        return True

    def expected_codes(self, kind):
        """The allowed exit codes of a disturbed training; 0 if it was about to end."""
        if "stopped" in kind:
            return {0}
        if "SIGTERM" in kind:
            # In the first moments of a process it has not been taken care of.
            return {0, 143, -signal.SIGTERM if self.workers == 1 else 2}
        if "kill" in kind and (self.workers == 1 or "launcher" in kind):
            return {0, -signal.SIGKILL}
        return {0, 2}

    def do(self, kind, process, trainers):
        """Disturbs a training."""
        target = process.pid if "launcher" in kind else trainers[0]
        if "worker" in kind:
            target = trainers[-1]
        try:
            if "kill -9" in kind:
                os.kill(target, signal.SIGKILL)
            elif "stopped" in kind:
                os.kill(target, signal.SIGSTOP)
                time.sleep(SECONDS_STOPPED)
                os.kill(target, signal.SIGCONT)
            elif "disk" in kind:
                resource.prlimit(target, resource.RLIMIT_FSIZE, FULL_DISK)
            else:
                os.kill(target, signal.SIGTERM)
        except ProcessLookupError:
            pass  # it has ended in this moment

    def check_end(self, process, codes, others):
        """Waits for the end of all processes, within bounded time."""
        code = process.wait(timeout=3600)
        assert code in codes, (code, codes)
        deadline = time.monotonic() + SECONDS_TO_END
        while any(Path(f"/proc/{pid}").exists() for pid in others):
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.05)
        assert b"Traceback" not in self.said.read_bytes(), self.said


def children(pid):
    """Finds the child processes of a process, in the order of their start."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except FileNotFoundError:
        return []
    return sorted(map(int, text.split()))


def saved(run):
    """Finds the folders of a run's last checkpoints, the latest last."""
    folders = (run / "checkpoints").glob("step-*")
    return sorted(folders, key=lambda path: int(path.name.removeprefix("step-")))


def last_step(run):
    """The step of the last checkpoint; 0 if there is none."""
    found = saved(run)
    return int(found[-1].name.removeprefix("step-")) if found else 0


def cut(run):
    """Truncates the last checkpoint to half, if there is one before it."""
    found = saved(run)
    if len(found) > 1:
        (data,) = found[-1].glob("*.data-*")
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
        """Adds a fault, and the step of the checkpoint that it left."""
        self.kinds[kind] += 1
        self.steps.append(step)

    def compare(self, run, whole):
        """Compares a run that has ended with the undisturbed one."""
        self.runs += 1
        self.metrics = max(self.metrics, differ_in_metrics(run, whole))
        self.weights = max(self.weights, differ_in_weights(run, whole))

    def result(self, options, seconds):
        """The printed result."""
        return {
            "framework": options.framework,
            "workers": options.workers,
            "seconds of the undisturbed training": round(seconds, 1),
            "faults": sum(self.kinds.values()),
            "by kind": dict(self.kinds),
            "recoveries": sum(self.kinds.values()),
            "runs to the end": self.runs,
            "last checkpoint at each fault": self.steps,
            "largest difference of a metric": self.metrics,
            "largest difference of a weight": self.weights,
        }


def differ_in_metrics(run, whole):
    """The largest difference between two histories, which must have the same lines."""
    mine, others = (
        list(csv.DictReader((folder / "history.csv").open())) for folder in (run, whole)
    )
    assert [row["step"] for row in mine] == [row["step"] for row in others], run
    pairs = zip(mine, others, strict=True)
    return max(abs(float(a[key]) - float(b[key])) for a, b in pairs for key in a)


def differ_in_weights(run, whole):
    """The largest difference between two last checkpoints."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np
    import tensorflow as tf

    def read(folder):
        path = tf.train.latest_checkpoint(str(saved(folder)[-1]))
        return tf.train.load_checkpoint(path)

    mine, others = read(run), read(whole)
    names = mine.get_variable_to_shape_map()
    assert names == others.get_variable_to_shape_map()
    return max(
        float(np.max(np.abs(mine.get_tensor(n) - others.get_tensor(n)))) for n in names
    )


if __name__ == "__main__":
    main()
