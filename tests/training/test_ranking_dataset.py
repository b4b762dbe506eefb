"""The batches that training reads: labels, task spaces, sample weights and groups."""

import numpy as np
import pytest
import tensorflow as tf

from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.training import ranking_dataset


def first_batch(config, prepared, **options):
    data = DatasetDirectory(prepared)
    preprocessor = Preprocessor(config.features, data)
    dataset = ranking_dataset(
        data, "test", preprocessor, config.tasks, batch_size=256, **options
    )
    return next(iter(dataset))


def raw(prepared, column):
    batches = DatasetDirectory(prepared).read("test", batch_size=256, columns=[column])
    return next(iter(batches))[column].numpy()


def test_a_task_space_hides_the_label_elsewhere(small_config, prepared):
    config = small_config(tasks__is_like__space={"column": "is_click", "equals": 1})
    _, labels, _ = first_batch(config, prepared)
    clicked = raw(prepared, "is_click") == 1
    assert 0 < clicked.sum() < len(clicked)
    liked = labels["is_like"].numpy()
    np.testing.assert_array_equal(liked[clicked], raw(prepared, "is_like")[clicked])
    assert (liked[~clicked] == -1).all()


def test_labels_sample_weights_and_groups_come_from_their_columns(
    small_config, prepared
):
    config = small_config(
        tasks__is_like__label="is_comment",
        tasks__is_like__sample_weight="user_impressions",
    )
    _, labels, weights, groups = first_batch(config, prepared, group_by="user_id")
    np.testing.assert_array_equal(labels["is_like"], raw(prepared, "is_comment"))
    np.testing.assert_array_equal(weights["is_like"], raw(prepared, "user_impressions"))
    assert list(weights) == ["is_like"]
    np.testing.assert_array_equal(groups, raw(prepared, "user_id"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            {"tasks__is_like__label": "likes"},
            r"`tasks.is_like.label` is column 'likes', which is not in the dataset "
            r"directory",
        ),
        ({"tasks__is_like__sample_weight": "w"}, r"`tasks.is_like.sample_weight` is"),
        (
            {"tasks__is_like__space": {"column": "shown", "equals": 1}},
            r"`tasks.is_like.space.column` is column 'shown'",
        ),
    ],
)
def test_a_column_that_does_not_exist(small_config, prepared, override, message):
    config = small_config(**override)
    with pytest.raises(HomeError, match=message):
        first_batch(config, prepared)


def test_a_column_of_groups_that_does_not_exist(small_config, prepared):
    with pytest.raises(HomeError, match=r"`evaluation.group_by` is column 'uid'"):
        first_batch(small_config(), prepared, group_by="uid")


def test_lookups_are_not_part_of_the_network(small_config, prepared):
    """They run in the pipeline: what the trained step gets are ids and numbers."""
    features, _, _ = first_batch(small_config(), prepared)
    assert all(
        values.dtype in (tf.int64, tf.int32, tf.float32) for values in features.values()
    )
    assert "numeric_features" in features
