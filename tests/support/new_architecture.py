"""What CONTRIBUTING promises of a new architecture, in a package that has it.

Usage: python new_architecture.py CONFIG DATASET
"""

import sys

from home_tf.config import load_config
from home_tf.data import DatasetDirectory
from home_tf.features import Preprocessor
from home_tf.lab.comparison import contenders
from home_tf.models.build_network import build_network

path, data = sys.argv[1:]
baselines = [one.name for one in contenders(["baselines"])]
assert {"averaged", "averaged*"} <= set(baselines)
starred = contenders(["averaged*"])[-1].arguments(load_config(path))
config = load_config(path, {"model.architecture": {**starred, "num_experts": 3}})
network = build_network(config, Preprocessor(config.features, DatasetDirectory(data)))
layer = network.representations
print(type(layer).__name__, layer.num_experts, layer.expert.activation)
