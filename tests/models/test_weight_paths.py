"""The weights of a network have paths that a person reads, the same in both Kerases."""

import numpy as np

from home_tf.backend.variables import weight_path
from home_tf.features import EmbeddedFeature, EmbeddingTable, FeatureEmbedding
from home_tf.layers import Expert, HoME, TaskTowers
from home_tf.models import RankingNetwork


def test_the_paths_of_a_network():
    tables = {"user": EmbeddingTable(9, 4), "a b": EmbeddingTable(9, 4)}
    network = RankingNetwork(
        FeatureEmbedding(
            tables, {name: EmbeddedFeature(name) for name in tables}, name="features"
        ),
        HoME({"inter": ["click"]}, expert=Expert.home(units=(4,)), name="home"),
        TaskTowers(["click"], hidden_units=(), name="towers"),
        name="network",
    )
    network({name: np.zeros(3, np.int32) for name in tables})
    paths = {weight_path(weight) for weight in network.weights}
    assert {path for path in paths if "features/" in path or "towers" in path} == {
        "network/features/width_4/embeddings",
        "network/towers/kernel_0",
        "network/towers/bias_0",
    }
    assert "network/home/meta/shared/experts/kernel_0" in paths
    assert "network/home/task/inter/gates/kernel_0" in paths
    assert all(path.startswith("network/") for path in paths)
    assert len(paths) == len(network.weights)
