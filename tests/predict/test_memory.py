"""The memory that predicting takes, in a process of its own."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.processes import run_python

PREDICT = Path(__file__).parents[1] / "support" / "predict_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="the peak is read as Linux tells it"
)
def test_the_memory_does_not_grow_with_the_rows(trained, tmp_path):
    _, version, batch, _ = trained
    columns = {
        name: values.numpy().tolist()
        if values.ndim == 2
        else [value.decode() for value in values.numpy()]
        if values.dtype == "string"
        else values.numpy()
        for name, values in batch.items()
    }
    rows = pa.table(columns)
    # The first part is what a run of batches takes; the rest is eight times as long.
    grown = []
    for times in (1_000, 8_000):
        file = tmp_path / f"{times}.parquet"
        with pq.ParquetWriter(file, rows.schema) as writer:
            for _ in range(times // 500):
                writer.write_table(pa.concat_tables([rows] * 500))
        small = tmp_path / "small.parquet"
        pq.write_table(pa.concat_tables([rows] * 200), small)
        done = run_python(PREDICT, version, small, file, tmp_path / f"out-{times}")
        assert done.returncode == 0, done.stderr
        grown.append(float(done.stdout))
    # 64,000 rows, and 512,000, which lie in 8 files of 100,000 rows or less.
    assert len(list((tmp_path / "out-8000" / "many").glob("part-*"))) >= 5
    assert grown[1] < grown[0] + 150
