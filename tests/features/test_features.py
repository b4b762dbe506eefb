"""Features in Python: each checks itself, and all of them their references."""

import pytest

from home_tf.errors import HomeError
from home_tf.features import CategoricalFeature, NumericFeature, check_references


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (CategoricalFeature, {}, "set `width`, or `table`"),
        (CategoricalFeature, {"width": 0}, "`width` must be greater than 0"),
        (
            CategoricalFeature,
            {"width": 2, "pooling": "max"},
            "`pooling` must be 'mean'",
        ),
        (CategoricalFeature, {"width": 2, "buckets": 9}, "`buckets` and"),
        (NumericFeature, {"transform": "sqrt"}, "`transform` must be 'none' or"),
        (NumericFeature, {"buckets": 3}, "`buckets` and `width` require"),
        (NumericFeature, {"width": 3}, "`buckets` and `width` require"),
    ],
)
def test_a_wrong_feature_is_told(kind, arguments, message):
    with pytest.raises(HomeError) as error:
        kind(**arguments)
    assert str(error.value).startswith(message)


def test_a_table_that_no_feature_has_is_told():
    features = {"tag": CategoricalFeature(table="tags")}
    with pytest.raises(HomeError, match=r"`features.tag.table` names 'tags', which is"):
        check_references(features)
