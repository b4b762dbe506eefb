"""Trains the same MMoE with home_tf, DeepCTR and torch-rechub, and compares speeds.

    pip install . -r benchmarks/peers/requirements.txt
    python benchmarks/peers/measure.py --json peers.json

32 id features of width 16, 8 experts [128, 64], 7 tasks with a tower [64], batch 1024,
Adam. Every library runs in a process of its own; they take turns, an epoch each, so
that a slower phase of the machine slows them all. Two ways:

- `memory`: from arrays in memory. DeepCTR by `fit` on them, torch-rechub by a plain
  loop over slices of tensors, which is faster than its own trainer.
- `files`: each library's documented way from files on disk, reading included. For the
  two others that is a CSV file read by pandas, and a `DataLoader` with torch-rechub;
  for home_tf packed TFRecords, shuffled.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FEATURES = [f"feature_{i}" for i in range(32)]
TASKS = [f"task_{i}" for i in range(7)]
VOCABULARY, WIDTH, BATCH = 10_000, 16, 1024
EXPERTS, EXPERT_UNITS, TOWER_UNITS = 8, (128, 64), (64,)
LIBRARIES = ("home_tf", "home_tf-lazy_adam", "deepctr", "torch-rechub")


def make_data(folder, rows):
    """Writes the rows as arrays, as CSV and as packed records."""
    from home_tf.data import Column, RecordWriter

    random = np.random.default_rng(0)
    columns = {
        name: random.integers(1, VOCABULARY, rows).astype(np.int32) for name in FEATURES
    }
    for i, task in enumerate(TASKS):
        taste = (columns[FEATURES[i]] + columns[FEATURES[i + 1]]) % 7 < 2
        columns[task] = (random.random(rows) < 0.1 + 0.3 * taste).astype(np.float32)
    np.savez(folder / "rows.npz", **columns)
    schema = {name: Column(str(values.dtype)) for name, values in columns.items()}
    with RecordWriter(folder / "records", schema) as writer:
        writer.write("train", columns)
    import pandas as pd

    frame = pd.DataFrame(columns).astype(dict.fromkeys(TASKS, np.int8))
    frame.to_csv(folder / "rows.csv", index=False)


def load_arrays(folder):
    """The rows as arrays."""
    with np.load(folder / "rows.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def home_tf_epochs(folder, way, optimizer="adam"):
    """A function that trains home_tf's MMoE for an epoch."""
    import keras
    import tensorflow as tf

    from home_tf.data import read
    from home_tf.features import FeatureEmbedding
    from home_tf.features.feature_embedding import EmbeddedFeature, EmbeddingTable
    from home_tf.layers import MMoE, TaskTowers
    from home_tf.models import RankingModel, RankingNetwork
    from home_tf.optimizers import LazyAdam

    network = RankingNetwork(
        FeatureEmbedding(
            {name: EmbeddingTable(VOCABULARY, WIDTH) for name in FEATURES},
            {name: EmbeddedFeature(name) for name in FEATURES},
        ),
        MMoE({"all": TASKS}, expert_units=EXPERT_UNITS, num_experts=EXPERTS),
        TaskTowers(TASKS, hidden_units=TOWER_UNITS),
    )
    model = RankingModel(network, TASKS)
    kinds = {"adam": keras.optimizers.Adam, "lazy_adam": LazyAdam}
    model.compile(optimizer=kinds[optimizer](1e-3))

    def split(columns):
        features = {name: columns[name] for name in FEATURES}
        return features, {task: columns[task] for task in TASKS}

    if way == "memory":
        arrays = load_arrays(folder)
        dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(BATCH)
        dataset = dataset.map(split).cache().prefetch(2)
    else:
        dataset = read(folder / "records", "train", batch_size=BATCH, shuffle_rows=8192)
        dataset = dataset.map(split).prefetch(2)
    return lambda: model.fit(dataset, verbose=0)


def deepctr_epochs(folder, way):
    """A function that trains DeepCTR's MMOE for an epoch."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import pandas as pd
    from deepctr.feature_column import SparseFeat
    from deepctr.models import MMOE

    model = MMOE(
        [SparseFeat(name, VOCABULARY, embedding_dim=WIDTH) for name in FEATURES],
        num_experts=EXPERTS,
        expert_dnn_hidden_units=EXPERT_UNITS,
        tower_dnn_hidden_units=TOWER_UNITS,
        l2_reg_embedding=0.0,
        task_types=["binary"] * len(TASKS),
        task_names=TASKS,
    )
    model.compile("adam", loss=["binary_crossentropy"] * len(TASKS))
    arrays = load_arrays(folder) if way == "memory" else None

    def epoch():
        columns = arrays if arrays is not None else pd.read_csv(folder / "rows.csv")
        inputs = {name: np.asarray(columns[name]) for name in FEATURES}
        labels = [np.asarray(columns[task]) for task in TASKS]
        model.fit(inputs, labels, batch_size=BATCH, epochs=1, verbose=0)

    return epoch


def torch_rechub_epochs(folder, way):
    """A function that trains torch-rechub's MMOE for an epoch."""
    import pandas as pd
    import torch
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import MMOE
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    kinds = ["classification"] * len(TASKS)
    model = MMOE(
        [SparseFeature(name, VOCABULARY, embed_dim=WIDTH) for name in FEATURES],
        kinds,
        EXPERTS,
        expert_params={"dims": list(EXPERT_UNITS)},
        tower_params_list=[{"dims": list(TOWER_UNITS)} for _ in TASKS],
    )
    if way == "files":
        trainer = MTLTrainer(
            model, kinds, optimizer_params={"lr": 1e-3}, n_epoch=1, model_path=folder
        )

        def epoch_from_files():
            frame = pd.read_csv(folder / "rows.csv")
            x = {name: frame[name].to_numpy() for name in FEATURES}
            y = frame[TASKS].to_numpy()
            few = {name: values[:BATCH] for name, values in x.items()}
            loader, _, _ = DataGenerator(x, y).generate_dataloader(
                few, y[:BATCH], few, y[:BATCH], batch_size=BATCH
            )
            trainer.train_one_epoch(loader)

        return epoch_from_files
    arrays = load_arrays(folder)
    x = {name: torch.tensor(arrays[name]) for name in FEATURES}
    y = torch.tensor(np.stack([arrays[task] for task in TASKS], axis=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def epoch():
        for start in range(0, len(y), BATCH):
            rows = slice(start, start + BATCH)
            found = model({name: values[rows] for name, values in x.items()})
            losses = torch.nn.functional.binary_cross_entropy(
                found, y[rows], reduction="none"
            )
            optimizer.zero_grad()
            losses.mean(0).sum().backward()
            optimizer.step()

    return epoch


def run_child(library, way, folder):
    """Runs an epoch for each line of standard input, and prints its seconds."""
    print_to = os.fdopen(os.dup(1), "w")
    name, _, optimizer = library.partition("-")
    with contextlib.redirect_stdout(sys.stderr):
        if library.startswith("home_tf"):
            epoch = home_tf_epochs(folder, way, optimizer or "adam")
        else:
            epoch = {"deepctr": deepctr_epochs, "torch": torch_rechub_epochs}[name](
                folder, way
            )
        for _ in sys.stdin:
            start = time.perf_counter()
            epoch()
            print(time.perf_counter() - start, file=print_to, flush=True)


class Child:
    """A library in a process of its own."""

    def __init__(self, library, way, folder):
        self._library = library
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", library, way, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def epoch(self):
        """Seconds of one epoch."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self._library} ended: see what it printed above")
        return float(line)

    def end(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait(30)


def measure(way, folder, rows, rounds):
    """Examples a second of every library, `{library: [of each round]}`."""
    children = {library: Child(library, way, folder) for library in LIBRARIES}
    speeds = {library: [] for library in LIBRARIES}
    for number in range(rounds + 1):
        for library, child in children.items():
            seconds = child.epoch()
            if number:  # the first epoch traces graphs
                speeds[library].append(rows / seconds)
    for child in children.values():
        child.end()
    return speeds


def report(speeds, way):
    """Prints the speeds of a way, and returns figures as `home-tf bench` does."""
    found = {}
    print(f"\n{way}: examples a second, and home_tf over it (quartiles of rounds)")
    for library, values in speeds.items():
        ratios = np.array(speeds["home_tf"]) / np.array(values)
        low, median, high = np.percentile(ratios, [25, 50, 75])
        print(
            f"  {library:18} {np.median(values):9,.0f}   {median:5.2f}"
            f"   [{low:.2f}, {high:.2f}]"
        )
        key = f"peers.{way}.{library}"
        found[f"{key}.examples_per_second"] = float(np.median(values))
        found[f"{key}.home_tf_speedup"] = {
            "median": float(median),
            "low": float(low),
            "high": float(high),
        }
    return found


def main():
    """Measures both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        library, way, folder = options.child
        run_child(library, way, Path(folder))
        return
    found = {"rows": options.rows, "rounds": options.rounds}
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), options.rows)
        for way in ("memory", "files"):
            found |= report(measure(way, folder, options.rows, options.rounds), way)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
