import csv
import gzip

import numpy as np
import pytest

from home_tf.data import DatasetDirectory
from home_tf.lab.synthetic import generate


@pytest.fixture
def source(tmp_path):
    """A small generated source that a test may change."""
    folder = tmp_path / "source"
    generate(folder, users=30, videos=20, days=5, rows=400, seed=3)
    return folder


@pytest.fixture
def write_csv():
    def write(file, rows):
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "wt", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    return write


@pytest.fixture
def edit(read_csv, write_csv):
    """Changes every row of the only file that matches a pattern."""

    def edit_rows(folder, pattern, change):
        (file,) = folder.glob(pattern)
        rows = read_csv(file)
        for number, row in enumerate(rows):
            change(number, row)
        write_csv(file, rows)

    return edit_rows


@pytest.fixture
def read_split():
    """Reads a split of a dataset directory whole, into NumPy columns."""

    def columns_of(folder, split):
        batches = [
            {name: values.numpy() for name, values in batch.items()}
            for batch in DatasetDirectory(folder).read(split, batch_size=4096)
        ]
        return {
            name: np.concatenate([batch[name] for batch in batches])
            for name in batches[0]
        }

    return columns_of
