"""What CONTRIBUTING promises of a new architecture, in a package that has it.

Usage: python new_architecture.py CONFIG DATASET
"""

import sys

from home_tf.config import load_config
from home_tf.lab.comparison import compared_models
from home_tf.training import Experiment

path, data = sys.argv[1:]
baselines = [one.name for one in compared_models(["baselines"])]
assert {"averaged", "averaged*"} <= set(baselines)
starred = compared_models(["averaged*"])[-1].arguments(load_config(path))
config = load_config(path, {"model.architecture": {**starred, "num_experts": 3}})
network = Experiment.open(config, data).make_network()
layer = network.representations
print(type(layer).__name__, layer.num_experts, layer.expert.activation)
