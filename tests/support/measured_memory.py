"""Prints memory, in MiB, in a process of its own, as `{name: values}` in JSON.

`calls`: the peaks of two calls. `steps`: those of steps with small and large tables.
"""

import json

import tensorflow as tf

from home_tf.backend import IS_LEGACY
from home_tf.lab.bench import fit
from home_tf.lab.bench.memory import peak_memory
from home_tf.lab.bench.records import RecordSizes


def peaks_of_calls():
    held = tf.ones((2**24,))

    def call():
        for _ in range(3):
            (held + 1.0).numpy()  # 64 MiB, three times after another
        a, b = held + 1.0, held + 2.0  # 128 MiB
        (a + b).numpy()  # and 64 more

    return [peak_memory(call), peak_memory(lambda: (held + 1.0).numpy())]


def peaks_of_steps():
    fit.wait_shares = lambda *_, **__: [0.0]
    sizes = fit.FitSizes(
        RecordSizes(4096, integers=2, floats=1, labels=2),
        {"type": "shared_bottom", "expert": {"units": [4]}},
        width=4,
        vocabularies=(10, 4_000_000),
        steps=2,
    )
    framework = "tfrs" if IS_LEGACY else "keras"
    found = fit.bench_fit(framework, sizes, rounds=2, options=())
    return [
        found[f"fit.{optimizer}_{size}_step_mib"]
        for optimizer in ("adam", "lazy_adam")
        for size in ("small", "large")
    ]


print(json.dumps({"calls": peaks_of_calls(), "steps": peaks_of_steps()}))
