"""Prints the memory of steps with small and large tables, in MiB."""

from home_tf.backend import IS_LEGACY
from home_tf.lab.bench import fit
from home_tf.lab.bench.records import RecordSizes

fit.wait_shares = lambda *_, **__: [0.0]
rows = RecordSizes(4096, integers=2, floats=1, labels=2)
sizes = fit.FitSizes(
    rows,
    expert_units=(4,),
    lora_rank=2,
    width=4,
    vocabularies=(10, 4_000_000),
    steps=2,
)
framework = "tfrs" if IS_LEGACY else "keras"
found = fit.bench_fit(framework, sizes, rounds=2, options=())
for optimizer in ("adam", "lazy_adam"):
    for size in ("small", "large"):
        print(found[f"fit.{optimizer}_{size}_step_mib"])
