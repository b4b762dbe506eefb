"""The configuration: what it accepts, and what it says of what it does not."""

import pytest

from home_tf.config import dump_config, load_config, override_config
from home_tf.errors import HomeError


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


def test_groups_and_columns_follow_from_tasks_and_features(small_config):
    config = small_config(
        tasks__is_like__label="liked",
        tasks__is_like__sample_weight="weight",
        tasks__is_like__space={"column": "is_click", "equals": 1},
    )
    assert config.task_groups == {
        "watch": ["long_view"],
        "inter": ["is_click", "is_like"],
    }
    columns = set(config.columns)
    assert {"liked", "weight", "is_click", "user_id", "duration_ms"} <= columns
    assert "is_like" not in columns


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("home", "HoMEConfig"),
        ("shared_bottom", "SharedBottomConfig"),
        ("single_task", "SingleTaskConfig"),
        ("mmoe", "MMoEConfig"),
        ("cgc", "CGCConfig"),
        ("ple", "PLEConfig"),
        ("adatt", "AdaTTConfig"),
    ],
)
def test_the_type_names_the_architecture(small_config, tmp_path, type_, name):
    config = small_config(model__architecture={"type": type_, "expert_units": [3]})
    assert type(config.model.architecture).__name__ == name
    assert config.model.architecture.expert_units == (3,)
    dump_config(config, tmp_path / "dumped.yaml")
    assert load_config(tmp_path / "dumped.yaml") == config


def test_without_a_type_the_architecture_is_home(small_config):
    config = small_config(model__architecture={"num_group_experts": 3})
    assert config.model.architecture.type == "home"
    assert config.model.architecture.num_group_experts == 3


HASHED = {"type": "categorical", "encoding": "hashed", "buckets": 9, "width": 2}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"model.architecture": {"type": "moe"}},
            r"`model.architecture`: .*'moe'.* expected tags: 'home', .*'mmoe'",
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
        ({"features.x": {"type": "numerical"}}, r"`features.x`: .*'numeric'"),
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


def test_a_task_named_twice_is_an_error(write_config):
    path = write_config(replace={"  is_like:": "  is_click:"})
    with pytest.raises(HomeError, match=r"config.yaml, line \d+: .*duplicate key"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("features: [", "config.yaml, line 1: "),
        ("- a\n", "a configuration is a mapping"),
        ("", "a configuration is a mapping"),
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
    with pytest.raises(HomeError, match=r"config.yaml"):
        load_config(path)
