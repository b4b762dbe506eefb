"""The mean that leaves out what is undefined."""

import numpy as np

from home_tf.evaluation import mean_of_defined

NAN = np.nan


def test_the_mean_of_nothing_is_undefined():
    found = mean_of_defined([[1.0, NAN], [NAN, NAN], [3.0, 5.0]], axis=1)
    np.testing.assert_array_equal(found, [1.0, NAN, 4.0])
    assert np.isnan(mean_of_defined([]))


def test_none_is_undefined_and_all_axes_are_the_default():
    assert mean_of_defined([None, 1.0, NAN, 2.0]) == 1.5
    assert np.isnan(mean_of_defined([None]))
    assert mean_of_defined([[1.0, NAN], [3.0, 5.0]]) == 3
