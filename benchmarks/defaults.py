"""What does each default of `pipelines/kuairand.yaml` give, on days that test nothing?

    python benchmarks/defaults.py --source path/to/excerpt --work FOLDER

Compares HoME and MMoE with the changes of `benchmarks/defaults.yaml`, as `home-tf
compare` does, on two folds that test on 2 and 3 May: no test day of the comparison of
models. `table.md` in FOLDER has the results; they are kept in `docs/results/defaults`.
"""

import argparse
from pathlib import Path

HERE = Path(__file__).parent
SPLIT = {"by": "days", "validation": 20220502, "test": 20220503}
MODELS = ("home+*", "mmoe", "mmoe+no_prior", "mmoe+no_reset", "mmoe+as_before")


def main():
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow("keras")
    from home_tf.config import load_config, read_yaml
    from home_tf.lab.comparison import compare

    yaml = HERE.parent / "pipelines" / "kuairand.yaml"
    compare(
        load_config(yaml, {"data.split": SPLIT}),
        options.source,
        options.work,
        architectures=MODELS,
        changes=read_yaml(HERE / "defaults.yaml"),
        seeds=options.seeds,
        folds=2,
        trials=0,
        jobs=options.jobs,
    )


if __name__ == "__main__":
    main()
