"""Benchmarks for `home-tf bench`: ratios measured within one run."""

from home_tf.lab.bench.check import load_expected as load_expected
from home_tf.lab.bench.check import regressions as regressions
from home_tf.lab.bench.environment import environment as environment
from home_tf.lab.bench.fit import bench_fit as bench_fit
from home_tf.lab.bench.input import bench_input as bench_input
from home_tf.lab.bench.layer import LayerSizes as LayerSizes
from home_tf.lab.bench.layer import bench_layer as bench_layer
from home_tf.lab.bench.scaling import bench_scaling as bench_scaling
from home_tf.lab.bench.scaling import plot_scaling as plot_scaling
from home_tf.lab.bench.serve import bench_serve as bench_serve
from home_tf.lab.bench.step import bench_step as bench_step
from home_tf.lab.bench.step import plot_step as plot_step
from home_tf.lab.bench.table import bench_table as bench_table
