"""Trains the same MMoE with home_tf, DeepCTR and torch-rechub, and compares speeds.

    pip install ".[all]" -r benchmarks/peers/requirements.txt
    python benchmarks/peers/measure.py --json peers.json

32 id features of width 16, 8 experts [128, 64], 7 tasks with a tower [64], batch 1024,
Adam. Every library runs in a process of its own, with as many threads as there are
CPUs; they take turns, an epoch each and one library first after another, so that a
slower phase of the machine slows them all. The first epoch, which traces graphs, is not
timed. All get ids in int32 and labels in float32. Two ways:

- `memory`: from arrays in memory, in their order. DeepCTR by `fit` on them,
  torch-rechub by a plain loop over slices of tensors, faster than its own trainer.
- `files`: each library's documented way from files on disk, shuffled, reading included.
  For the two others that is a CSV file read by pandas, and a `DataLoader` with
  torch-rechub; for home_tf packed TFRecords.

`idle_cpu_share` of a library is how much of a CPU its process takes in the turns of the
others: what would disturb them.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
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
    for name, values in load_csv(folder).items():
        assert values.dtype == columns[name].dtype, name
        assert (values == columns[name]).all(), name


def load_arrays(folder):
    """The rows as arrays."""
    with np.load(folder / "rows.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def load_csv(folder):
    """The same arrays, from the CSV file."""
    import pandas as pd

    dtypes = {**dict.fromkeys(FEATURES, np.int32), **dict.fromkeys(TASKS, np.float32)}
    frame = pd.read_csv(folder / "rows.csv", dtype=dtypes)
    return {name: frame[name].to_numpy() for name in dtypes}


def home_tf_epochs(folder, way, optimizer="adam"):
    """A function that trains home_tf's MMoE for an epoch."""
    import keras
    import tensorflow as tf

    from home_tf.data import DatasetDirectory
    from home_tf.features import FeatureEmbedding
    from home_tf.features.feature_embedding import EmbeddedFeature, EmbeddingTable
    from home_tf.layers import Expert, MMoE, TaskTowers
    from home_tf.models import RankingModel, RankingNetwork
    from home_tf.optimizers import LazyAdam

    network = RankingNetwork(
        FeatureEmbedding(
            {name: EmbeddingTable(VOCABULARY, WIDTH) for name in FEATURES},
            {name: EmbeddedFeature(name) for name in FEATURES},
        ),
        MMoE(
            {"all": TASKS},
            expert=Expert.relu(units=EXPERT_UNITS),
            num_experts=EXPERTS,
        ),
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
        data = DatasetDirectory(folder / "records")
        dataset = data.read("train", batch_size=BATCH, shuffle_rows=8192)
        dataset = dataset.map(split).prefetch(2)
    return lambda: model.fit(dataset, verbose=0)


def deepctr_epochs(folder, way):
    """A function that trains DeepCTR's MMOE for an epoch."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
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
        columns = load_csv(folder) if arrays is None else arrays
        inputs = {name: columns[name] for name in FEATURES}
        labels = [columns[task] for task in TASKS]
        model.fit(inputs, labels, batch_size=BATCH, shuffle=arrays is None, verbose=0)

    return epoch


def torch_rechub_epochs(folder, way):
    """A function that trains torch-rechub's MMOE for an epoch."""
    import torch
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import MMOE
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    torch.set_num_threads(os.cpu_count())
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
            columns = load_csv(folder)
            x = {name: columns[name] for name in FEATURES}
            y = np.stack([columns[task] for task in TASKS], axis=1)
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
    """Runs an epoch for each line of standard input.

    Prints its seconds, and the CPU seconds that this process took since the last one.
    """
    print_to = os.fdopen(os.dup(1), "w")
    name, _, optimizer = library.partition("-")
    with contextlib.redirect_stdout(sys.stderr):
        if library.startswith("home_tf"):
            epoch = home_tf_epochs(folder, way, optimizer or "adam")
        else:
            epoch = {"deepctr": deepctr_epochs, "torch": torch_rechub_epochs}[name](
                folder, way
            )
        ended = time.process_time()
        for _ in sys.stdin:
            start, idle = time.perf_counter(), time.process_time() - ended
            epoch()
            print(time.perf_counter() - start, idle, file=print_to, flush=True)
            ended = time.process_time()


# OpenMP's threads may spin before they sleep: PyTorch would be twice as slow without.
# What that takes of the others' turns is measured.
VARIABLES = {
    "OMP_NUM_THREADS": str(os.cpu_count()),
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class Child:
    """A library in a separate process."""

    def __init__(self, library, way, folder):
        self._library = library
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", library, way, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **VARIABLES},
        )

    def epoch(self):
        """Seconds of one epoch, and CPU seconds of the process since the last one."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self._library} ended: see what it printed above")
        return tuple(map(float, line.split()))

    def end(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait(30)


def measure(way, folder, rounds):
    """Seconds of every library's epochs, and of CPU before each: `(rounds, 2)`."""
    children = {library: Child(library, way, folder) for library in LIBRARIES}
    for child in children.values():
        child.epoch()  # traces graphs
    times = {library: [] for library in LIBRARIES}
    for number in range(rounds):
        first = number % len(LIBRARIES)
        for library in LIBRARIES[first:] + LIBRARIES[:first]:
            times[library].append(children[library].epoch())
    for child in children.values():
        child.end()
    return {library: np.array(pairs) for library, pairs in times.items()}


def report(times, way, rows):
    """Prints the speeds of a way, and returns figures like `home-tf bench`."""
    # Not above: in DeepCTR's process legacy Keras comes first.
    from home_tf.lab.bench.timing import quartiles

    found = {}
    print(f"\n{way}: examples a second, and home_tf over it (quartiles of rounds)")
    everything = sum(pairs[:, 0].sum() for pairs in times.values())
    for library, pairs in times.items():
        seconds, idle = pairs.T
        share = float(idle.sum() / (everything - seconds.sum()))
        figures = quartiles(seconds / times["home_tf"][:, 0])
        rate = float(rows / np.median(seconds))
        print(
            f"  {library:18} {rate:9,.0f}   {figures['median']:5.2f}"
            f"   [{figures['low']:.2f}, {figures['high']:.2f}]"
            f"   {share:.1%} of a CPU in the others' turns"
        )
        key = f"peers.{way}.{library}"
        found[f"{key}.examples_per_second"] = rate
        found[f"{key}.home_tf_speedup"] = figures
        found[f"{key}.idle_cpu_share"] = share
    return found


def conditions(options):
    """The conditions of the figures: the machine, the versions and the sizes."""
    from home_tf.lab.bench import environment

    versions = {name: version(name) for name in ("deepctr", "torch-rechub", "torch")}
    return {
        **environment(),
        **versions,
        "rows": options.rows,
        "rounds": options.rounds,
    }


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
    found = conditions(options)
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), options.rows)
        for way in ("memory", "files"):
            times = measure(way, folder, options.rounds)
            found |= report(times, way, options.rows)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
