"""A small ranking network, its data, and the ranking models that train it."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import IS_LEGACY
from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
from home_tf.layers import Expert, HoME, TaskTowers
from home_tf.models import RankingModel, RankingNetwork

TASKS = ["long_view", "like", "click"]
GROUPS = {"watch": ["long_view"], "inter": ["like", "click"]}

needs_tfrs = pytest.mark.skipif(not IS_LEGACY, reason="TFRS needs legacy Keras")


def make_network(embedding_l2=0.01, dtype=None):
    features = FeatureEmbedding(
        {"user": EmbeddingTable(50, 4), "item": EmbeddingTable(60, 4)},
        {
            "user": EmbeddedFeature("user"),
            "item": EmbeddedFeature("item"),
            "seen": EmbeddedFeature("item", "attention", "item"),
        },
        num_numeric=2,
        embedding_l2=embedding_l2,
        dtype=dtype,
    )
    # Without gates: building the graph is what takes time here.
    expert = Expert.home(units=(4,))
    home = HoME(
        GROUPS, expert=expert, feature_gate="none", self_gate="none", dtype=dtype
    )
    towers = TaskTowers(home.tasks, dtype=dtype)
    return RankingNetwork(features, home, towers, dtype=dtype)


def make_batches(rows=103, batch_size=32):
    """Uneven batches, with missing labels in the first rows of a batch only."""
    random = np.random.default_rng(0)
    features = {
        "user": random.integers(0, 50, rows),
        "item": random.integers(1, 60, rows),
        "seen": random.integers(0, 60, (rows, 5)),
        "numeric_features": random.normal(size=(rows, 2)).astype(np.float32),
    }
    labels = {t: random.integers(0, 2, rows).astype(np.float32) for t in TASKS}
    labels["like"][:14] = np.nan
    labels["click"][32:64] = -1
    weights = {"like": random.random(rows).astype(np.float32)}
    return tf.data.Dataset.from_tensor_slices((features, labels, weights)).batch(
        batch_size
    )


def model_classes():
    classes = [pytest.param(lambda: RankingModel, id="keras")]

    def tfrs_model():
        from home_tf.tfrs import RankingModel as TFRSRankingModel

        return TFRSRankingModel

    return [*classes, pytest.param(tfrs_model, id="tfrs", marks=needs_tfrs)]
