"""Trains ranking models, in one process or in one of several: RECORDS OUT FRAMEWORK."""

import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

SEVERAL = bool(os.environ.get("TF_CONFIG"))
# First: the processes meet before TensorFlow computes anything.
strategy = (
    tf.distribute.MultiWorkerMirroredStrategy()
    if SEVERAL
    else tf.distribute.get_strategy()
)

from home_tf.backend import IS_LEGACY, keras  # noqa: E402
from home_tf.data import DatasetDirectory  # noqa: E402
from home_tf.features import (  # noqa: E402
    EmbeddedFeature,
    EmbeddingTable,
    FeatureEmbedding,
)
from home_tf.layers import Expert, HoME, TaskTowers  # noqa: E402
from home_tf.models import RankingModel, RankingNetwork  # noqa: E402
from home_tf.optimizers import LazyAdam  # noqa: E402

TASKS = ["long_view", "like", "click"]
GROUPS = {"watch": ["long_view"], "inter": ["like", "click"]}
BATCH = 32
EPOCHS = 2


def model_class(framework):
    if framework == "keras":
        return RankingModel
    from home_tf.tfrs import RankingModel as TFRSRankingModel

    return TFRSRankingModel


def make_network():
    features = FeatureEmbedding(
        {"user": EmbeddingTable(50, 4), "item": EmbeddingTable(60, 4)},
        {"user": EmbeddedFeature("user"), "item": EmbeddedFeature("item")},
        embedding_l2=0.01,
    )
    home = HoME(
        GROUPS, expert=Expert.home(units=(4,)), feature_gate="none", self_gate="none"
    )
    return RankingNetwork(features, home, TaskTowers(home.tasks))


def to_batch(columns):
    features = {name: columns[name] for name in ("user", "item")}
    labels = {task: columns[task] for task in TASKS}
    return features, labels, {"like": columns["weight"]}


def train(framework, weighting, data):
    rows = data.split("train").rows

    def read(context=None):
        return data.read(
            "train",
            batch_size=BATCH,
            shuffle_rows=40,
            seed=3,
            epochs=EPOCHS,
            input_context=context,
        ).map(to_batch)

    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = model_class(framework)(make_network(), TASKS, loss_weighting=weighting)
        model.compile(LazyAdam(0.02, global_clipnorm=1.0))

    def batches():
        return strategy.distribute_datasets_from_function(read) if SEVERAL else read()

    # Both Kerases say so if a dataset ends too early.
    steps = -(-rows // BATCH)
    options = {"verbose": 0, "shuffle": False, "steps_per_epoch": steps}
    history = model.fit(batches(), epochs=EPOCHS, **options).history
    found = model.evaluate(batches(), steps=steps, verbose=0, return_dict=True)
    predicted = model.predict(batches(), steps=steps, verbose=0)
    return {
        **{f"history/{name}": values for name, values in history.items()},
        **{f"evaluation/{name}": value for name, value in found.items()},
        **{f"predictions/{name}": values for name, values in predicted.items()},
        **{f"weights/{i}": w for i, w in enumerate(model.network.get_weights())},
    }


def main(records, out, framework, *weightings):
    assert (framework == "tfrs") <= IS_LEGACY
    data = DatasetDirectory(records)
    results = {
        f"{weighting}/{name}": np.asarray(value)
        for weighting in weightings
        for name, value in train(framework, weighting, data).items()
    }
    index = strategy.cluster_resolver.task_id if SEVERAL else "alone"
    np.savez(Path(out) / f"{index}.npz", **results)
    if SEVERAL:  # nobody leaves while another computes
        strategy.reduce("SUM", tf.constant(1.0), axis=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
