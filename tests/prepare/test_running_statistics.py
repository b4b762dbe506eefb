import json

import numpy as np

from home_tf.prepare.running_statistics import RunningStatistics


def described(tmp_path, statistics):
    statistics.save(tmp_path / "statistics.json")
    return json.loads((tmp_path / "statistics.json").read_text())


def test_blocks_merge_into_the_moments_of_the_whole(tmp_path):
    # A large mean with a small spread is where naive sums of squares break down.
    values = (1e6 + np.random.default_rng(0).random(10_000)).astype(np.float32)
    values[::10] = np.nan
    statistics = RunningStatistics(["x"])
    for block in np.split(values, [0, 1, 17, 5_000, 9_999]):
        statistics.add({"x": block})
    x = described(tmp_path, statistics)["x"]
    known = values[~np.isnan(values)].astype(np.float64)
    np.testing.assert_allclose(x["mean"], known.mean(), rtol=1e-12)
    np.testing.assert_allclose(x["variance"], known.var(), rtol=1e-6)
    np.testing.assert_allclose(x["log1p_mean"], np.log1p(known).mean(), rtol=1e-12)


def test_quantiles_of_many_rows_come_from_a_uniform_sample(tmp_path):
    values = np.linspace(0, 1, 100_000, dtype=np.float32)
    statistics = RunningStatistics(["x"], sample_rows=5_000)
    for block in np.split(values, 50):
        statistics.add({"x": block})
    quantiles = described(tmp_path, statistics)["x"]["quantiles"]
    # The standard error of a quantile of 5,000 rows is at most 0.0071.
    np.testing.assert_allclose(quantiles, np.linspace(0, 1, 101), atol=0.03)


def test_a_column_that_is_never_known_has_no_quantiles(tmp_path):
    statistics = RunningStatistics(["x"])
    statistics.add({"x": np.full(5, np.nan, np.float32)})
    assert described(tmp_path, statistics)["x"] == {
        "mean": 0.0,
        "variance": 0.0,
        "log1p_mean": 0.0,
        "log1p_variance": 0.0,
        "quantiles": [],
    }


def test_the_ends_of_the_quantiles_are_exact_also_beyond_the_sample(tmp_path):
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    values[[17, 4000]] = -50.0, 60.0
    statistics = RunningStatistics(["x"], sample_rows=100)
    for part in np.split(values, 5):
        statistics.add({"x": part})
    statistics.save(tmp_path / "statistics.json")
    quantiles = json.loads((tmp_path / "statistics.json").read_text())["x"]["quantiles"]
    assert (quantiles[0], quantiles[-1], len(quantiles)) == (-50.0, 60.0, 101)
    assert quantiles == sorted(quantiles)
