"""Prints, in JSON, what is told of layers in a model of the other Keras.

`{use: {layer: message}}` for each way to use each layer, and two more with Keras 3: a
call and a layer after the environment has changed.
"""

import json
import os
import sys

import numpy as np

from home_tf.backend import IS_LEGACY
from home_tf.layers import ExpertBank, FeatureGate, HoME

if IS_LEGACY:
    import keras as other
else:
    import tf_keras as other


class Subclassed(other.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


USES = {
    "functional": lambda layer: layer(other.Input((6,))),
    "subclassed": lambda layer: Subclassed(layer)(np.ones((2, 6), "float32")),
}


def told(use, *arguments):
    try:
        use(*arguments)
    except ValueError as error:
        return str(error)
    return "went through"


def main():
    layers = {
        "HoME": HoME({"a": ["x"]}),
        "ExpertBank": ExpertBank(2),
        "FeatureGate": FeatureGate(),
    }
    found = {
        name: {key: told(use, layer) for key, layer in layers.items()}
        for name, use in USES.items()
    }
    if not IS_LEGACY:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        gate = layers["FeatureGate"]
        found["changed"] = {
            "in a model": told(gate, other.Input((4,))),
            "alone": told(FeatureGate),
        }
    json.dump(found, sys.stdout)


main()
