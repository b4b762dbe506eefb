"""Benchmarks: ratios measured in one run, for `home-tf bench`."""

from home_tf.bench.layer import bench_layer as bench_layer
from home_tf.bench.table import bench_table as bench_table
