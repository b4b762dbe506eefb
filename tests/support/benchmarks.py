"""What the tests of the benchmarks share."""

from pathlib import Path

from home_tf.bench.check import load_expected

KEPT = Path(__file__).parents[2] / "benchmarks" / "expected.json"


def kept_keys(bench):
    """The figures of a benchmark that `benchmarks/expected.json` expects."""
    return {key for key in load_expected(KEPT) if key.split(".")[0] == bench}


def is_ratio(figure):
    return 0 <= figure["low"] <= figure["median"] <= figure["high"]
