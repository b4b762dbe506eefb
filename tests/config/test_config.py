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
        "batch_norm_initial_scale": 1.0,
        "batch_norm_epsilon": 0.001,
    }


def test_without_a_type_the_architecture_is_home(small_config):
    config = small_config(model__architecture={"num_group_experts": 3})
    assert config.model.architecture.type == "home"
    assert config.model.architecture.arguments["num_group_experts"] == 3


HASHED = {"type": "categorical", "encoding": "hashed", "buckets": 9, "width": 2}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"model.architecture": {"type": "moe"}},
            r"`model.architecture.type`: must be one of 'home', .*'mmoe'.*'moe'$",
        ),
        ({"model.architecture": "mmoe"}, r"`model.architecture`: .*Received: 'mmoe'"),
        (
            {"model.architecture": {"type": "mmoe", "num_shared_experts": 2}},
            r"`model.architecture.num_shared_experts`: unknown key. Received: 2",
        ),
        (
            {"model.architecture": {"type": "ple", "num_levels": 0}},
            r"`model.architecture.num_levels`: .* greater than 0",
        ),
        # Keys that are named as a type is.
        (
            {"model.architecture": {"type": "mmoe", "mmoe": 1}},
            r"`model.architecture.mmoe`: unknown key. Received: 1",
        ),
        (
            {"features.numeric": {"type": "numeric", "widht": 1}},
            r"`features.numeric.widht`: unknown key",
        ),
        ({"tasks.home": {}}, r"`tasks.home.group`: this key is required"),
        (
            {"features.user_id.widht": 3},
            r"`features.user_id.widht`: unknown key. Received: 3",
        ),
        ({"trainings": {}}, r"`trainings`: unknown key"),
        (
            {"model.architecture.experts": 2},
            r"`model.architecture.experts`: unknown key",
        ),
        ({"tasks.is_click": {}}, r"`tasks.is_click.group`: this key is required"),
        ({"training.epochs": 0}, r"`training.epochs`: .* greater than 0"),
        ({"training.framework": "jax"}, r"`training.framework`: .*'tfrs' or 'keras'"),
        ({"features.x": {"type": "numerical"}}, r"`features.x.type`: .*'numeric'"),
        ({"features.x": {"type": "categorical"}}, r"`features.x`: give `width`"),
        (
            {"features.x": {"type": "categorical", "width": 2, "buckets": 9}},
            r"`features.x`: `buckets` goes with `encoding: hashed`",
        ),
        (
            {"features.x": {**HASHED, "oov_buckets": 2}},
            r"`features.x`: `min_count` and `oov_buckets` go with `encoding: vocab",
        ),
        (
            {"features.x": {"type": "categorical", "table": "user_id", "min_count": 2}},
            r"`features.x`: `encoding`, .* are those of the feature that `table` names",
        ),
        (
            {
                "features.x": {
                    **HASHED,
                    "pooling": "attention",
                    "attend_with": "user_id",
                }
            },
            r"`features.x.attend_with` names 'user_id', which has another embedding",
        ),
        (
            {"features.x": {"type": "numeric", "encoding": "bucketized"}},
            r"`buckets` and `width` go with `encoding: bucketized`",
        ),
        (
            {"features.x": {"type": "categorical", "table": "tags"}},
            r"`features.x.table` names 'tags', which is no categorical feature",
        ),
        (
            {"features.is_like": {"type": "numeric"}},
            r"feature `is_like` reads `is_like`, which is the label of a task",
        ),
        (
            {"serving.request_features": ["user_*", "usr_*"]},
            r"`serving.request_features` has 'usr_\*', which is no feature",
        ),
        (
            {
                "serving.request_features": [],
                "serving.candidates": {"column": "video_id", "latest_by": "date"},
            },
            r"`serving.candidates` goes with `serving.request_features`",
        ),
        (
            {"serving.candidates": {"column": "user_id", "latest_by": "date"}},
            r"`serving.candidates.column` is 'user_id', which no categorical feature "
            r"of the candidates reads; they read \['author_id', .*'video_id'\]",
        ),
        (
            {"serving.request_features": ["*"]},
            r"`serving.request_features` has all features",
        ),
        (
            {"features.x": {"type": "categorical", "column": "user_id", "width": 2}},
            r"feature `x` reads `user_id` as one of `serving.request_features` does",
        ),
        (
            {"serving.score": {"weights": {"clik": 1.0}}},
            r"`serving.score.weights` names unknown tasks \['clik'\]; the tasks are",
        ),
        (
            {
                "serving.score": {"weights": {"is_like": 1.0}},
                "tasks.score": {"group": "inter"},
            },
            r"`serving.score` gives an output `score`, and so does the task",
        ),
        (
            {"tasks": {"is like": {"group": "inter"}}},
            r"name of a task must be of letters, .* Received: 'is like'$",
        ),
        ({"tasks": {"": {"group": "inter"}}}, r"name of a task .* Received: ''$"),
        ({"training.monitor_tasks": ["clik"]}, r"names unknown tasks \['clik'\]"),
        ({"training.loss_weighting": "kendall"}, r"`training.loss_weighting`: .*'sum'"),
        (
            {"training.gradnorm_alpha": 0.5},
            r"`training`: `gradnorm_alpha` goes with `loss_weighting: gradnorm`",
        ),
    ],
)
def test_a_wrong_configuration_names_the_key(write_config, overrides, message):
    with pytest.raises(HomeError, match=message):
        load_config(write_config(), overrides)


TEXT = "must be text, in quotes if it looks like a number. Received:"
MAPPING = "must be a mapping, `key: value`. Received:"
RANK = "must be a whole number greater than 0, 'paper' or a list of 2. Received:"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.epochs", "many", "must be a whole number. Received: 'many'"),
        ("training.epochs", 1.5, "must be a whole number. Received: 1.5"),
        ("training.epochs", [1], "must be a whole number. Received: [1]"),
        ("training.epochs", None, "must be a whole number. Received: null"),
        ("training.epochs", True, "must be a number. Received: True"),
        ("training.epochs", -1, "must be greater than 0. Received: -1"),
        ("training.epochs", 2**31, "must be less than 2147483648. Received: 2147"),
        ("training.learning_rate", "fast", "must be a number. Received: 'fast'"),
        ("training.learning_rate", -1, "must be greater than 0. Received: -1"),
        (
            "training.learning_rate",
            float("inf"),
            "must be a finite number. Received: inf",
        ),
        ("training.jit_compile", "maybe", "must be true or false. Received: 'maybe'"),
        ("training.seed", -1, "must be at least 0. Received: -1"),
        ("training.seed", 2**32, "must be less than 4294967296. Received: 4294"),
        ("training.optimizer", "sgd", "must be 'adam' or 'lazy_adam'. Received: 'sg"),
        ("training.monitor_tasks", "is_like", "must be a list. Received: 'is_like'"),
        ("training.monitor_tasks", [], "must have at least one entry. Received: []"),
        ("training", None, f"{MAPPING} null"),
        (
            "training",
            {"epoch": 7},
            "unknown key. Received: 7. The keys here: framework, epochs, patience, ",
        ),
        ("tasks", {}, "must have at least one entry. Received: {}"),
        ("tasks", ["is_like"], f"{MAPPING} ['is_like']"),
        ("tasks.is_like", "inter", f"{MAPPING} 'inter'"),
        ("tasks.is_like.group", 3, f"{TEXT} 3"),
        ("tasks.is_like.space", "is_click", f"{MAPPING} 'is_click'"),
        ("tasks.is_like.space", {"x": 1}, "The keys here: column, equals"),
        ("features.x", None, f"{MAPPING} null"),
        ("features.x", {}, "this key is required; one of 'categorical', 'numeric'"),
        ("features.x", {"type": None}, "one of 'categorical', 'numeric'. Received: nu"),
        (
            "features.x",
            {"type": "numeric", "min_count": 2},
            "The keys here: type, column, nullable, transform, encoding, buckets",
        ),
        ("model.architecture", 3, f"{MAPPING} 3"),
        ("model.architecture.expert.units", 8, "must be a list. Received: 8"),
        (
            "model.architecture.expert",
            "tanh",
            "must be 'home', 'swish', 'relu' or a mapping, `key: value`. Received: 'ta",
        ),
        ("model.architecture.expert.units", [], "must be a sequence of at least 1"),
        ("model.architecture.expert.units", [0], "must be greater than 0. Received: 0"),
        (
            "model.architecture.expert.batch_norm_momentum",
            1,
            "must be in [0, 1). Received: 1.0",
        ),
        ("model.architecture.feature_gate", "all", "must be 'both', 'meta' or 'none'"),
        ("model.architecture.lora_rank", 0, f"{RANK} 0"),
        ("model.architecture.lora_rank", [1, 2, 3], f"{RANK} [1, 2, 3]"),
        ("model.architecture.lora_rank", [1, 0], f"{RANK} [1, 0]"),
        ("model.architecture.lora_rank", "x", f"{RANK} 'x'"),
        ("model.dropout", 1, "must be less than 1. Received: 1"),
        ("serving.score", {"weights": {1: 1}}, f"{TEXT} 1"),
        ("serving.score", {"wights": 1}, "The keys here: form, weights"),
    ],
)
def test_a_wrong_value_is_told_in_the_terms_of_the_file(
    write_config, key, value, message
):
    path = write_config()
    with pytest.raises(HomeError) as error:
        load_config(path, {key: value})
    text = str(error.value)
    assert text.startswith(f"{path}: `{key}")
    assert message in text
    assert "\n" not in text


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
