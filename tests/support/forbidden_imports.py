"""Prints what importing some modules loads of other packages, as JSON.

    python forbidden_imports.py MODULES PACKAGES

What TensorFlow and the Keras in force load themselves does not count.
"""

import importlib
import json
import sys


def loaded(packages):
    return {name for name in packages if name in sys.modules}


def main(modules, packages):
    from home_tf.backend import keras  # noqa: F401

    before = loaded(packages)
    for module in modules:
        importlib.import_module(module)
    print(json.dumps(sorted(loaded(packages) - before)))


if __name__ == "__main__":
    main(*(argument.split(",") for argument in sys.argv[1:]))
