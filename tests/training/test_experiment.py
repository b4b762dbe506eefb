"""From a configuration to the network."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.backends import to_numpy

from home_tf import layers
from home_tf.config import ARCHITECTURES as TYPES
from home_tf.features import EmbeddedFeature, EmbeddingTable
from home_tf.layers import Expert
from home_tf.training import Experiment

ARCHITECTURES = {
    "HoME": {"num_shared_experts": 1, "num_group_experts": 1, "lora_rank": 2},
    "SharedBottom": {},
    "SingleTask": {},
    "MMoE": {"num_experts": 3},
    "CGC": {"num_shared_experts": 1},
    "PLE": {"num_levels": 3},
    "AdaTT": {"num_levels": 1, "num_task_experts": 2},
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_network_has_the_architecture_of_the_configuration(small_config, name):
    arguments = ARCHITECTURES[name]
    (kind,) = (one for one, layer in TYPES.items() if layer.__name__ == name)
    section = {"type": kind, "expert": {"units": [4]}, **arguments}
    config = small_config(
        model__architecture=section, model__prior_initialization=False
    )
    preprocessor = SimpleNamespace(
        tables={"user": EmbeddingTable(9, 4)},
        embedded_features={"user": EmbeddedFeature("user")},
        numeric_features=["duration"],
    )
    network = Experiment(config, preprocessor).make_network()
    layer = network.representations
    assert type(layer) is getattr(layers, name)
    for argument, value in arguments.items():
        assert getattr(layer, argument) == value
    kind = Expert.home if name == "HoME" else Expert.relu
    assert layer.expert == kind(units=(4,))
    features = {
        "user": np.arange(6),
        "numeric_features": np.linspace(-1, 1, 6, dtype=np.float32)[:, None],
    }
    logits = to_numpy(network(features))
    assert list(logits) == ["long_view", "is_click", "is_like"]
    assert all(np.ptp(values) > 0 for values in logits.values())


def test_towers_start_at_the_rates_of_their_labels(small_config):
    config = small_config(tasks__is_like={"group": "inter", "label": "liked"})
    rates = {"long_view": 0.3, "is_click": 0.4, "liked": 0.02}
    preprocessor = SimpleNamespace(
        tables={"user": EmbeddingTable(9, 4)},
        embedded_features={"user": EmbeddedFeature("user")},
        numeric_features=[],
        data=SimpleNamespace(
            statistics=lambda label, needed_by: SimpleNamespace(
                positive_rate=rates[label]
            )
        ),
    )
    towers = Experiment(config, preprocessor).make_network().towers
    assert towers.prior_rates == {"long_view": 0.3, "is_click": 0.4, "is_like": 0.02}
