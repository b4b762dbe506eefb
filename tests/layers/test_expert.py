"""What an expert is, said once."""

import json

import pytest

from home_tf.backend import keras
from home_tf.layers import Expert, ExpertBank, HoME


@pytest.mark.parametrize("name", ["home", "swish", "relu"])
def test_a_name_stands_for_an_expert_of_the_default_units(name):
    expert = Expert.of(name)
    assert expert == getattr(Expert, name)()
    assert expert.units == (128, 64)
    assert expert.batch_norm == (name == "home")
    assert expert.activation == ("relu" if name == "relu" else "swish")


def test_an_expert_comes_back_from_its_configuration():
    initializer = keras.initializers.HeNormal(seed=3)
    expert = Expert.home(
        units=[8, 4],
        batch_norm_momentum=0.7,
        batch_norm_initial_scale=0.2,
        batch_norm_epsilon=0.01,
        kernel_initializer=initializer,
    )
    config = json.loads(json.dumps(expert.get_config()))
    again = Expert.of(config)
    assert again.get_config() == expert.get_config() == config
    assert keras.initializers.get(again.kernel_initializer).get_config() == (
        initializer.get_config()
    )


def test_layers_hand_the_expert_on_as_it_is():
    expert = Expert.home(units=(6, 3), batch_norm_momentum=0.5)
    assert ExpertBank(2, expert).expert is expert
    assert HoME({"a": ["x"]}, expert=expert).expert is expert


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": []}, r"`units` must be a sequence of at least 1"),
        ({"units": 64}, r"`units` must be a sequence"),
        ({"units": None}, r"`units` must be a sequence"),
        ({"units": (8, -1)}, r"`units` must be a positive integer. Received: -1"),
        ({"units": (64.9,)}, r"`units` must be a positive integer. Received: 64.9"),
        (
            {"batch_norm_initial_scale": 0.0},
            r"`batch_norm_initial_scale` must be positive. Received: 0.0",
        ),
        (
            {"batch_norm_momentum": -0.1},
            r"`batch_norm_momentum` must be in \[0, 1\). Received: -0.1",
        ),
        ({"batch_norm_momentum": 1.0}, r"`batch_norm_momentum` must be in \[0, 1\)"),
        ({"batch_norm_epsilon": 0.0}, r"`batch_norm_epsilon` must be positive"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        Expert.home(**arguments)


def test_another_activation_is_told():
    with pytest.raises(ValueError, match=r"`activation` must be one of .*: 'gelu'"):
        Expert(activation="gelu", batch_norm=False)
