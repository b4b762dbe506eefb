"""The configuration: what it accepts, and what it says of what it does not."""

import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from home_tf.config import (
    ARCHITECTURES,
    dump_config,
    load_config,
    make_config,
    override_config,
    peek_framework,
)
from home_tf.errors import HomeError
from home_tf.layers import Expert


def test_a_written_configuration_reads_back_the_same(small_config, tmp_path):
    config = small_config(training__clip_norm=1.5, tasks__is_like__loss_weight=2.0)
    dump_config(config, tmp_path / "dumped.yaml")
    loaded = load_config(tmp_path / "dumped.yaml")
    assert loaded == config
    # Equal dicts may differ in order, which decides the order of weights and outputs.
    assert list(loaded.features) == list(config.features)
    assert list(loaded.tasks) == list(config.tasks)


def test_values_of_a_configuration_are_replaced(small_config):
    config = small_config()
    changed = override_config(config, {"training.epochs": 7, "model.dropout": 0.5})
    assert changed == small_config(training__epochs=7, model__dropout=0.5)
    assert list(changed.features) == list(config.features)
    with pytest.raises(HomeError, match=r"`training.epoch`: unknown key"):
        override_config(config, {"training.epoch": 7})


def test_scientific_notation_is_a_number(write_config):
    path = write_config(replace={"learning_rate: 0.02": "learning_rate: 1e-2"})
    assert load_config(path).training.learning_rate == 0.01


def test_groups_follow_from_tasks(small_config):
    config = small_config()
    assert config.task_groups == {
        "watch": ["long_view"],
        "inter": ["is_click", "is_like"],
    }


@pytest.mark.parametrize("type_", ARCHITECTURES)
def test_the_type_names_the_architecture(small_config, tmp_path, type_):
    config = small_config(model__architecture={"type": type_, "expert": {"units": [3]}})
    layer = config.model.architecture.make_layer(config.task_groups)
    assert type(layer) is ARCHITECTURES[type_]
    assert layer.expert.units == (3,)
    dump_config(config, tmp_path / "dumped.yaml")
    assert load_config(tmp_path / "dumped.yaml") == config


def test_an_expert_has_the_keys_of_the_architectures_default(small_config):
    section = {"type": "mmoe", "expert": {"units": [6, 3]}}
    config = small_config(model__architecture=section)
    expert = config.model.architecture.arguments["expert"]
    assert expert == Expert.relu(units=(6, 3))
    named = small_config(model__architecture={"type": "mmoe", "expert": "swish"})
    assert named.model.architecture.arguments["expert"] == Expert.swish()


def test_an_expert_is_written_with_all_its_keys(small_config, tmp_path):
    dump_config(small_config(model__architecture={"expert": "relu"}), tmp_path / "c")
    values = YAML(typ="safe").load((tmp_path / "c").read_text())
    assert values["model"]["architecture"]["expert"] == {
        "units": [128, 64],
        "activation": "relu",
        "batch_norm": False,
        "batch_norm_momentum": 0.9,
        "batch_norm_initial_scale": 0.1,
        "batch_norm_epsilon": 0.001,
    }


def test_without_a_type_the_architecture_is_home(small_config):
    config = small_config(model__architecture={"num_group_experts": 3})
    assert config.model.architecture.type == "home"
    assert config.model.architecture.arguments["num_group_experts"] == 3


def test_a_long_value_is_cut_and_further_problems_are_counted(write_config):
    wrong = {"training.epochs": "x" * 1000, "training.seed": "y", "model.dropout": 2}
    with pytest.raises(HomeError, match=r" \(2 more problems\)$") as error:
        load_config(write_config(), wrong)
    assert len(str(error.value)) < 300


def test_a_lora_rank_is_one_or_two_numbers(small_config):
    for rank in (3, (3, 2), None):
        config = small_config(model__architecture__lora_rank=rank)
        assert config.model.architecture.arguments["lora_rank"] == rank


def test_a_value_set_inside_a_value_names_file_and_key(write_config):
    path = write_config()
    with pytest.raises(HomeError) as error:
        load_config(path, {"training.epochs.x": 1})
    assert str(error.value) == (
        f"{path}: `training.epochs.x` cannot be set: `epochs` must be a mapping. "
        "Received: 2"
    )


def test_a_task_named_twice_is_an_error(write_config):
    path = write_config(replace={"  is_like:": "  is_click:"})
    with pytest.raises(HomeError, match=r"config.yaml, line \d+: .*duplicate key"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("features: [", "config.yaml, line 1: "),
        ("features:\n\tx: 1\n", "config.yaml, line 2: .*: indent with spaces$"),
        ("a: 1\nb: 2\na: 3\n", 'line 3: while .* found duplicate key "a"$'),
        ("a: 1\n---\nb: 2\n", "line 2: expected a single document"),
        ("a: !x 1\n", "line 1: could not determine a constructor for the tag '!x'"),
        ("a: 2022-13-01\n", "config.yaml: not valid YAML .month must be in 1..12"),
        ("- a\n", r"a configuration is a mapping .* Received: \['a'\]"),
        ("", "a configuration is a mapping .* Received: null"),
        ("3: 1\n", "config.yaml: `3`: must be text"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(HomeError, match=message) as error:
        load_config(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HomeError, match=r"nowhere.yaml: no such configuration file"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_binary_file_is_an_error(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HomeError, match=r"in UTF-8. Received: byte 0xff at position 0"):
        load_config(path)
    with pytest.raises(HomeError, match=r"cannot be read \(Is a directory\)"):
        load_config(tmp_path)


def test_a_configuration_is_made_of_a_dict(small_config, write_config):
    values = YAML(typ="safe").load(write_config().read_text())
    assert make_config(values) == small_config()
    with pytest.raises(HomeError, match=r"^the configuration: `features`: .* required"):
        make_config({})


@pytest.mark.parametrize(
    ("replace", "framework"),
    [
        ({}, "tfrs"),
        ({"training:": "training:\n  framework: keras"}, "keras"),
        ({"training:": "train:"}, "tfrs"),
    ],
)
def test_the_framework_is_known_before_keras_is(write_config, replace, framework):
    path = write_config(replace=replace)
    script = (
        "import sys; from home_tf.config import peek_framework\n"
        f"print(peek_framework({str(path)!r}))\n"
        "print({'tensorflow', 'keras', 'tf_keras'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [framework, "set()"]


def test_an_unknown_framework_is_told_before_keras_is_imported(write_config, tmp_path):
    path = write_config(replace={"training:": "training:\n  framework: jax"})
    with pytest.raises(HomeError) as error:
        peek_framework(path)
    assert str(error.value) == (
        f"{path}: `training.framework`: must be 'tfrs' or 'keras'. Received: 'jax'"
    )
    with pytest.raises(HomeError, match=r"nowhere.yaml: no such configuration file"):
        peek_framework(tmp_path / "nowhere.yaml")
