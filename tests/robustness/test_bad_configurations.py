"""Configurations that are wrong, each with the line that says so."""

import pytest

from home_tf.config import load_config
from home_tf.errors import HomeError

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
        ({"features.x": {"type": "categorical"}}, r"`features.x`: set `width`"),
        (
            {"features.x": {"type": "categorical", "width": 2, "buckets": 9}},
            r"`features.x`: `buckets` and `encoding: hashed` require",
        ),
        (
            {"features.x": {**HASHED, "oov_buckets": 2}},
            r"`features.x`: `min_count` and `oov_buckets` require `encoding: vocab",
        ),
        (
            {"features.x": {"type": "categorical", "table": "user_id", "min_count": 2}},
            r"`features.x`: `encoding`, .* are set by the feature that `table` names",
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
            r"`buckets` and `width` require `encoding: bucketized`",
        ),
        (
            {"features.x": {"type": "categorical", "table": "tags"}},
            r"`features.x.table` names 'tags', which is not a categorical feature",
        ),
        (
            {"features.is_like": {"type": "numeric"}},
            r"feature `is_like` reads `is_like`, which is the label of a task",
        ),
        (
            {"serving.request_features": ["user_*", "usr_*"]},
            r"`serving.request_features` has 'usr_\*', which is not a feature",
        ),
        (
            {
                "serving.request_features": [],
                "serving.candidates": {"column": "video_id", "latest_by": "date"},
            },
            r"`serving.candidates` requires `serving.request_features`",
        ),
        (
            {"serving.candidates": {"column": "user_id", "latest_by": "date"}},
            "`serving.candidates.column` is 'user_id', which no categorical feature "
            r"of the candidates reads. Columns that they read: \['author_id', "
            r".*'video_id'\]",
        ),
        (
            {"serving.request_features": ["*"]},
            r"`serving.request_features` contains all features",
        ),
        (
            {"features.x": {"type": "categorical", "column": "user_id", "width": 2}},
            r"feature `x` reads `user_id` like one of `serving.request_features`",
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
            r"`serving.score` adds an output `score`, which is also the name of a task",
        ),
        (
            {"tasks": {"is like": {"group": "inter"}}},
            r"name of a task must consist of letters, .* Received: 'is like'$",
        ),
        ({"tasks": {"": {"group": "inter"}}}, r"name of a task .* Received: ''$"),
        ({"training.monitor_tasks": ["clik"]}, r"names unknown tasks \['clik'\]"),
        ({"training.loss_weighting": "kendall"}, r"`training.loss_weighting`: .*'sum'"),
        (
            {"training.select_by": "gauc", "evaluation.group_by": None},
            r"`training.select_by` is gauc, which needs groups: set `evaluation",
        ),
        (
            {"features.numeric_features": {"type": "numeric"}},
            r"no feature can be named 'numeric_features'",
        ),
        (
            {"training.gradnorm_alpha": 0.5},
            r"`training`: `gradnorm_alpha` requires `loss_weighting: gradnorm`",
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
        ("training.select_by", "loss", "must be 'auc' or 'gauc'. Received: 'loss'"),
        ("training.clip_norm", 0, "must be greater than 0. Received: 0"),
        ("training.batch_size", 0, "must be greater than 0. Received: 0"),
        ("training.mixed_precision", "half", "must be 'float32', 'mixed_float16' or"),
        ("training.shuffle_rows", -1, "must be at least 0. Received: -1"),
        ("training.steps_per_execution", 0, "must be greater than 0. Received: 0"),
        ("training.patience", 0, "must be greater than 0. Received: 0"),
        ("training.checkpoint_every", 0, "must be a whole number greater than 0 or"),
        ("training.checkpoint_every", True, "must be a whole number greater than 0 "),
        ("training.checkpoint_every", "10", "or a time, such as '10 minutes'. Receiv"),
        ("training.checkpoint_every", "0 minutes", "Received: '0 minutes'"),
        ("training.checkpoint_every", "an hour", "Received: 'an hour'"),
        ("training.gradnorm_alpha", "x", "must be a number. Received: 'x'"),
        ("evaluation.group_by", 3, f"{TEXT} 3"),
        ("evaluation.bootstrap_replicates", 0, "must be greater than 0. Received: 0"),
        ("evaluation", [], f"{MAPPING} []"),
        ("model.dropout", -0.1, "must be at least 0. Received: -0.1"),
        ("model.embedding_l2", -1, "must be at least 0. Received: -1"),
        ("model.tower_units", [0], "must be greater than 0. Received: 0"),
        (
            "model.prior_initialization",
            "yes please",
            "must be true or false. Received: 'yes",
        ),
        ("tasks.is_like.loss_weight", -1, "must be at least 0. Received: -1"),
        ("tasks.is_like.sample_weight", 1, f"{TEXT} 1"),
        ("features.user_id.width", 0, "must be greater than 0. Received: 0"),
        ("features.user_id.min_count", 0, "must be greater than 0. Received: 0"),
        ("features.user_id.pooling", "max", "must be 'mean', 'sum' or 'attention'"),
        (
            "features.x",
            {"type": "numeric", "nullable": "sometimes"},
            "must be true or false. Received: 'sometimes'",
        ),
        (
            "features.x",
            {"type": "numeric", "transform": "sqrt"},
            "must be 'none' or 'log1p'. Received: 'sqrt'",
        ),
        ("serving.request_features", "user_*", "must be a list. Received: 'user_*'"),
        ("serving.candidates", {"column": "video_id"}, "this key is required"),
        ("training.seed", -1, "must be at least 0. Received: -1"),
        ("training.seed", 2**32, "must be less than 4294967296. Received: 4294"),
        ("training.optimizer", "sgd", "must be 'lazy_adam' or 'adam'. Received: 'sg"),
        ("training.monitor_tasks", "is_like", "must be a list. Received: 'is_like'"),
        ("training.monitor_tasks", [], "must have at least one entry. Received: []"),
        ("training", None, f"{MAPPING} null"),
        (
            "training",
            {"epoch": 7},
            "unknown key. Received: 7. The keys here: framework, strategy, data_",
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
