"""What does each default of the KuaiRand pipeline gain, on a day without tests?

    python benchmarks/defaults.py --source path/to/excerpt --work FOLDER

Compares HoME with itself under each change of `benchmarks/defaults.yaml`, or of another
file with `--changes`, with MMoE and with LightGBM, tested on 3 May 2022, which is no
test day of the comparison of models.
`table.md` in FOLDER has the results; they are kept in `docs/results/defaults`.
"""

import argparse
from pathlib import Path

HERE = Path(__file__).parent
SPLIT = {"by": "days", "validation": 20220502, "test": 20220503}
MODELS = ("home+*", "mmoe", "lightgbm")


def main():
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--changes", type=Path, default=HERE / "defaults.yaml")
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
        changes=read_yaml(options.changes),
        seeds=options.seeds,
        folds=1,
        trials=0,
        jobs=options.jobs,
    )


if __name__ == "__main__":
    main()
