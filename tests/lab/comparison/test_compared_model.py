"""Names of models, and the architectures that they stand for."""

from dataclasses import dataclass

import pytest

from home_tf.config import ARCHITECTURES
from home_tf.errors import HomeError
from home_tf.lab.comparison import compared_model as module
from home_tf.lab.comparison import compared_models
from home_tf.layers import Expert


def expert(name, **arguments):
    """The section of an expert, with all its keys."""
    section = getattr(Expert, name)(**arguments).get_config()
    del section["kernel_initializer"]
    return section


@dataclass
class Other:
    expert: str = "relu"
    num_heads: int = 3


@pytest.fixture
def two_kinds(monkeypatch):
    kinds = {"home": ARCHITECTURES["home"], "other": Other}
    monkeypatch.setattr(module, "ARCHITECTURES", kinds)


def test_home_is_always_there_and_nothing_twice(two_kinds):
    found = [one.name for one in compared_models(["lightgbm", "baselines", "home"])]
    assert found == ["home", "lightgbm", "other", "other*"]


def test_a_star_gives_a_baseline_the_experts_of_home(two_kinds, small_config):
    arguments = {"units": [6], "batch_norm_momentum": 0.7}
    config = small_config(model__architecture={"expert": arguments})
    _, plain, starred = compared_models(["other", "other*"])
    assert (starred.architecture, starred.variant) == ("other", "home experts")
    assert plain.arguments(config) == {
        "type": "other",
        "expert": expert("relu", **arguments),
    }
    home = expert("home", **arguments)
    assert starred.arguments(config)["expert"] == home


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("home", {}),
        ("home-fg2", {"feature_gate": "meta"}),
        ("home-fg", {"feature_gate": "none"}),
        ("home-sg", {"self_gate": "none"}),
        ("home-mask", {"hierarchy_mask": False}),
        ("home-fg-sg", {"feature_gate": "none", "self_gate": "none"}),
        (
            "home-fg-sg-mask",
            {"feature_gate": "none", "self_gate": "none", "hierarchy_mask": False},
        ),
        ("home-swish", {"expert": expert("swish")}),
        ("home-relu", {"expert": expert("relu")}),
        (
            "home-experts3",
            {"num_shared_experts": 3, "num_group_experts": 3, "num_task_experts": 3},
        ),
        ("home-loras4", {"num_loras": 4, "lora_rank": 8}),
    ],
)
def test_variants_of_home_change_only_what_they_are_named_for(
    small_config, name, changed
):
    config = small_config(model__architecture={"num_loras": 2, "lora_rank": 16})
    plain = compared_models([])[0].arguments(config)
    found = compared_models([name])[-1].arguments(config)
    assert found == {**plain, **changed}


def test_more_loras_have_smaller_ranks_at_both_levels(small_config):
    config = small_config(model__architecture={"num_loras": 2, "lora_rank": [16, 2]})
    found = compared_models(["home-loras8"])[-1].arguments(config)
    assert (found["num_loras"], found["lora_rank"]) == (8, [4, 1])


def test_with_the_rank_of_the_paper_the_rank_is_left_to_the_layer(small_config):
    config = small_config(model__architecture={"num_loras": 2})
    found = compared_models(["home-loras4"])[-1].arguments(config)
    assert found["num_loras"] == 4
    assert "lora_rank" not in found


@pytest.mark.parametrize("name", ["hom", "home*", "lightgbm*", "home-", "home-loras0"])
def test_an_unknown_name(name):
    with pytest.raises(HomeError, match=r"unknown name. Received: '") as error:
        compared_models([name])
    assert repr(name) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_close_name_is_offered():
    with pytest.raises(HomeError, match=r"'home-mesk'. Close: home-mask"):
        compared_models(["home-mesk"])
