"""Measures on a CPU what `cluster_size.py` computes, as far as two processes can.

    python benchmarks/check_cluster_size.py [--json FILE]

Prints measurement, formula and their ratio: the weights of a built network and the
operations in its graph, the memory that a step takes for an example, the size of a
checkpoint and the time to write it, and, of two processes that train together under
`MultiWorkerMirroredStrategy`, what each holds and what it sends in a step. The kernel
counts that for each of its sockets.
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster_size import (
    FLOAT,
    Network,
    Tables,
    checkpoint_bytes,
    dense_bytes,
    sparse_bytes,
)

STEPS = 10  # of a training whose bytes are counted
# `bytes_acked` of the kernel's `struct tcp_info`.
TCP_INFO_BYTES_ACKED = slice(120, 128)
SMALL = Network(features=160, groups=(2, 3), units=(64, 32), ranks=(40, 8), tower=(16,))
# What two processes train: most of it dense, most of it rows of tables, and one of the
# two with a clipped gradient.
TRAININGS = {
    "dense": (Network(features=800, groups=(2, 3), units=(256, 128), ranks=(400, 64)),
              Tables(ids=1000, width=16, lookups=50), 8, 0.0),
    "rows": (SMALL, Tables(ids=100_000, width=16, lookups=10), 2048, 0.0),
    "rows, clip_norm": (SMALL, Tables(ids=100_000, width=16, lookups=10), 2048, 1.0),
}  # fmt: skip


def main():
    """Measures and prints, or is one of two processes that train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--train", choices=TRAININGS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    # Without oneDNN, TensorFlow's allocator does not count.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if options.train:
        print(json.dumps(train(*TRAININGS[options.train])))
        return
    found = {**measure_network(), **measure_checkpoint()}
    for name in TRAININGS:
        found |= measure_training(name)
    for name, (measured, formula) in found.items():
        print(
            f"| {name} | {measured:,.0f} | {formula:,.0f} | {measured / formula:.3f} |"
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def make_network(network, tables):
    """The built `RankingNetwork` of such sizes; all features share one table."""
    from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
    from home_tf.layers import Expert, HoME, TaskTowers
    from home_tf.models import RankingNetwork

    groups = {
        f"group_{g}": [f"task_{g}_{t}" for t in range(number)]
        for g, number in enumerate(network.groups)
    }
    names = [f"id_{i}" for i in range(tables.lookups)]
    features = FeatureEmbedding(
        {"table": EmbeddingTable(int(tables.ids), tables.width)},
        {name: EmbeddedFeature("table") for name in names},
        num_numeric=network.features - tables.lookups * tables.width,
    )
    home = HoME(
        groups,
        expert=Expert.home(units=network.units),
        num_shared_experts=network.shared,
        num_group_experts=network.group,
        num_task_experts=network.task,
        num_loras=network.loras,
        lora_rank=network.ranks,
    )
    towers = TaskTowers(home.tasks, hidden_units=network.tower)
    return RankingNetwork(features, home, towers)


def make_batch(network, tables, batch, seed=0):
    """Random features and labels."""
    import numpy as np

    random = np.random.default_rng(seed)
    features = {
        f"id_{i}": random.integers(0, int(tables.ids), batch).astype("int32")
        for i in range(tables.lookups)
    }
    numbers = network.features - tables.lookups * tables.width
    if numbers:
        features["numeric_features"] = random.normal(size=(batch, numbers)).astype("f")
    labels = {
        f"task_{g}_{t}": random.integers(0, 2, batch).astype("float32")
        for g, number in enumerate(network.groups)
        for t in range(number)
    }
    return features, labels


def measure_network():
    """Weights and operations of the large network, and what its step keeps."""
    import numpy as np
    import tensorflow as tf

    from home_tf.backend.variables import tf_variable
    from home_tf.lab.bench.memory import peak_memory
    from home_tf.lab.comparison.flops import flops_per_example

    network, tables = Network(), Tables(ids=1000)
    built = make_network(network, tables)
    built(make_batch(network, tables, 1)[0])
    weights = [w for w in built.trainable_weights if "embeddings" not in w.name]
    found = {
        "parameters without tables": (
            sum(int(np.prod(w.shape)) for w in weights),
            network.parameters(),
        ),
        "operations of an example, forward": (
            flops_per_example(built),
            network.operations(),
        ),
    }

    @tf.function(autograph=False)
    def step(v):
        with tf.GradientTape() as tape:
            logits = built.towers(built.representations(v, training=True))
            loss = tf.add_n([tf.reduce_sum(x) for x in logits.values()])
        # One at a time would free what the others still need.
        gradients = tape.gradient(loss, [tf_variable(w) for w in weights])
        return tf.add_n([tf.reduce_sum(tf.abs(g)) for g in gradients if g is not None])

    def peak(rows):
        v = tf.random.normal((rows, network.features))
        step(v)
        return peak_memory(lambda: step(v).numpy())

    few, many = 256, 512
    peaks = peak(few), peak(many)
    if None not in peaks:
        kept = (peaks[1] - peaks[0]) * 2**20 / (many - few)
        found["memory of a step for an example, bytes"] = (
            kept,
            network.activations() * FLOAT,
        )
    return found


def measure_checkpoint():
    """The bytes of a checkpoint, and its write speed compared with a plain file."""
    from home_tf.backend.variables import named_optimizer_variables, named_variables
    from home_tf.models import RankingModel
    from home_tf.optimizers import LazyAdam
    from home_tf.training.checkpoint import Checkpoint

    tables = Tables(ids=1_000_000, lookups=10)
    model = RankingModel(make_network(SMALL, tables), _tasks(SMALL))
    model.compile(LazyAdam(1e-3))
    features, labels = make_batch(SMALL, tables, 64)
    model.fit(features, labels, batch_size=64, verbose=0)
    checkpoint = Checkpoint(
        network=named_variables(model.network),
        optimizer=named_optimizer_variables(model),
    )
    with TemporaryDirectory() as folder:
        path = Path(folder, "step-1")
        seconds = _seconds(lambda: checkpoint.save(path, 1))
        size = sum(file.stat().st_size for file in path.iterdir())
        plain = Path(folder, "plain")
        content = b"\1" * size
        wanted = _seconds(lambda: plain.write_bytes(content))
    formula = checkpoint_bytes(SMALL, tables)
    return {
        "bytes of a checkpoint": (size, formula),
        "ms to write it, and a plain file of its size": (1e3 * seconds, 1e3 * wanted),
    }


def _tasks(network):
    return list(make_batch(network, Tables(lookups=0), 1)[1])


def _seconds(function):
    found = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return min(found)  # of a machine that others may use too


def measure_training(name):
    """Compares what each of two processes sends and holds with the formulas."""
    from home_tf.backend import IS_LEGACY
    from home_tf.cli.local_processes import free_addresses
    from home_tf.cluster import describe_worker

    addresses = free_addresses(2)
    with ExitStack() as stack:
        processes = []
        for index in range(2):
            process = subprocess.Popen(
                [sys.executable, __file__, "--train", name],
                env={**os.environ, "TF_CONFIG": describe_worker(addresses, index)},
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        texts = [process.communicate(timeout=300)[0] for process in processes]
    found = [json.loads(text.splitlines()[-1]) for text in texts]
    sent, held = (sum(each) / 2 for each in zip(*found, strict=True))
    network, tables, batch, clip_norm = TRAININGS[name]
    formula = dense_bytes(network, 2) + sparse_bytes(tables, 2, batch)
    if clip_norm and not IS_LEGACY:
        formula *= 2  # once for the norm
    return {
        f"bytes sent a step ({name})": (sent, formula),
        f"bytes of variables ({name})": (held, checkpoint_bytes(network, tables)),
    }


def train(network, tables, batch, clip_norm):
    """Trains as one of several processes.

    Returns:
        The bytes that it sends a step, and those of the weights that it holds.
    """
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    from home_tf.backend import keras
    from home_tf.backend.variables import named_optimizer_variables, named_variables
    from home_tf.models import RankingModel
    from home_tf.optimizers import LazyAdam

    def read(context):
        rows = make_batch(network, tables, batch, seed=context.input_pipeline_id)
        return tf.data.Dataset.from_tensors(rows).repeat()

    sent = {}

    class CountSent(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            sent[step] = bytes_sent()

    with strategy.scope():
        model = RankingModel(make_network(network, tables), _tasks(network))
        model.compile(LazyAdam(1e-3, global_clipnorm=clip_norm or None))
    batches = strategy.distribute_datasets_from_function(read)
    # After the first two steps, in which connections are made and graphs traced.
    steps = {"steps_per_epoch": STEPS + 2, "epochs": 1, "shuffle": False}
    model.fit(batches, callbacks=[CountSent()], verbose=0, **steps)
    found = (sent[STEPS + 1] - sent[1]) / STEPS
    strategy.reduce("SUM", tf.constant(1.0), axis=None)  # both have counted
    variables = [
        *named_variables(model.network).values(),
        *named_optimizer_variables(model).values(),
    ]
    mine = [one for v in variables for one in strategy.experimental_local_results(v)]
    return found, sum(v.dtype.size * v.shape.num_elements() for v in mine)


def bytes_sent():
    """The bytes that this process has sent over TCP, as counted by the kernel."""
    total = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            if not os.readlink(link).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(link.name))) as one:
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        except OSError:  # closed meanwhile, or not TCP
            continue
        total += struct.unpack("=Q", info[TCP_INFO_BYTES_ACKED])[0]
    return total


if __name__ == "__main__":
    main()
