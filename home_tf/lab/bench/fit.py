"""Benchmarking `fit`: against a bare loop, and for large vocabularies."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.backend.variables import tf_variable
from home_tf.config import Config, make_config
from home_tf.data import DatasetDirectory
from home_tf.features import Preprocessor
from home_tf.lab.bench.input_wait import wait_shares
from home_tf.lab.bench.memory import peak_memory
from home_tf.lab.bench.records import RecordSizes, make_rows, write_records
from home_tf.lab.bench.timing import quartiles, ratio, time_in_turn
from home_tf.training.experiment import Experiment
from home_tf.training.ranking_dataset import ranking_dataset

# The optimizers whose step is compared between large and small tables.
OPTIMIZERS = ("lazy_adam", "adam")
# The options of training whose gain is shown.
OPTIONS: dict[str, dict[str, Any]] = {
    "steps_per_execution": {"steps_per_execution": 8},
    "mixed_bfloat16": {"mixed_precision": "mixed_bfloat16"},
}


@dataclass(frozen=True)
class FitSizes:
    """The sizes of the benchmark.

    Attributes:
        records: The columns; labels are tasks, in two groups.
        architecture: The section `model.architecture` of what is trained.
        width: Width of the embedding of an integer column.
        vocabularies: Numbers of ids of the tables whose steps are compared.
        steps: Steps of a round.
    """

    records: RecordSizes = field(default_factory=lambda: RecordSizes(rows=100_000))
    architecture: Mapping[str, Any] = field(default_factory=lambda: {"lora_rank": 32})
    width: int = 16
    vocabularies: tuple[int, int] = (10**4, 10**7)
    steps: int = 16


def bench_fit(
    framework: str,
    sizes: FitSizes | None = None,
    *,
    rounds: int = 10,
    options: tuple[str, ...] = tuple(OPTIONS),
    optimizers: tuple[str, ...] = OPTIMIZERS,
) -> dict[str, Any]:
    """Measures `fit` of a ranking model on synthetic records.

    Args:
        framework: `tfrs` or `keras`, as the Keras in force.
        sizes: What to measure; by default 46 columns and six tasks at batch 1024.
        rounds: Timed rounds of each.
        options: Keys of `OPTIONS` whose gain is measured.
        optimizers: Those of `OPTIMIZERS` whose step with many ids is measured; that of
            `adam` takes seconds.

    Returns:
        `{key: value}`: ratios as `{"median", "low", "high"}` (quartiles over rounds).
        `fit.input_wait_share` is the share of the time in which `fit` on the shuffled
        records waits for input, the start of each epoch included: see `wait_shares`;
        its rounds are the epochs, at least two, of one `fit`.
        `fit.overhead_vs_bare_loop` is the time of `fit` over that of a bare
        `tf.function` without metrics on the same batches from memory.
        `fit.OPTION_speedup` is the time of `fit` without the option over that with it.
        `fit.OPTIMIZER_large_vs_small` is the step with a table of many ids over the
        step with one of few, each step on another batch;
        `fit.OPTIMIZER_SIZE_step_mib`, for both sizes, is how many MiB such a step takes
        at most while it runs, beyond the variables: see `peak_memory`, also for where
        there are none.
    """
    sizes = sizes or FitSizes()
    with TemporaryDirectory() as name:
        bench = _Bench(Path(name), sizes, framework)
        found: dict[str, Any] = {"fit.rounds": rounds}
        found |= bench.input_wait(rounds)
        found |= bench.overhead(rounds)
        for option in options:
            found |= bench.gain(option, rounds)
        for optimizer in optimizers:
            found |= bench.vocabularies(optimizer, rounds)
    return found


class _Bench:
    """The records, and the models that train on them."""

    def __init__(self, folder: Path, sizes: FitSizes, framework: Any) -> None:
        self._sizes, self._framework = sizes, framework
        columns = sizes.records.columns
        write_records(folder, "packed", sizes.records, make_rows(sizes.records))
        normal = {"mean": 0.0, "variance": 1.0, "quantiles": [-10.0, 10.0]}
        kinds = {"float": normal, "label": {"mean": 0.5}}
        statistics = {
            name: kinds[kind]
            for name in columns
            for kind in kinds
            if name.startswith(kind)
        }
        (folder / "statistics.json").write_text(json.dumps(statistics))
        self._data = DatasetDirectory(folder)
        self._config = self.config()
        self._batch = self._first_batch(self._config)
        self._model = self._build(self._config)

    def config(self, *, vocabulary: int | None = None, **training: Any) -> Config:
        sizes, columns = self._sizes, self._sizes.records.columns
        features: dict[str, Any] = {}
        large = f"integer_{min(5, sizes.records.integers - 1)}"  # the most values
        for name in columns:
            if name.startswith("float"):
                features[name] = {"type": "numeric"}
            elif name.startswith("integer"):
                buckets = vocabulary if vocabulary and name == large else 1000
                features[name] = {
                    "type": "categorical",
                    "encoding": "hashed",
                    "buckets": buckets,
                    "width": sizes.width,
                }
        labels = [name for name in columns if name.startswith("label")]
        half = len(labels) // 2
        tasks = {
            name: {"group": "watch" if index < half else "inter"}
            for index, name in enumerate(labels)
        }
        return make_config(
            {
                "features": features,
                "tasks": tasks,
                "evaluation": {"group_by": "integer_0"},
                "model": {"architecture": dict(sizes.architecture)},
                "training": {"framework": self._framework, **training},
            }
        )

    def _dataset(self, config: Config, **options: Any) -> tf.data.Dataset:
        return ranking_dataset(
            self._data,
            "train",
            Preprocessor(config.features, self._data),
            config.tasks,
            batch_size=config.training.batch_size,
            **options,
        )

    def _first_batch(self, config: Config) -> Any:
        return next(iter(self._dataset(config)))

    def _build(self, config: Config) -> Any:
        return Experiment.open(config, self._data).make_model()

    def input_wait(self, rounds: int) -> dict[str, Any]:
        """Measures the share of an epoch of `fit` spent waiting for input."""
        epochs = max(rounds, 2)
        # As `home-tf train` does it: the pipeline goes on from epoch to epoch. Of the
        # last one Keras may ask for a batch too many.
        dataset = self._dataset(self._config, shuffle_rows=65536, epochs=epochs + 1)
        shares = wait_shares(
            self._model,
            dataset,
            epochs=epochs,
            steps_per_epoch=self._sizes.records.rows
            // self._config.training.batch_size,
        )
        return {"fit.input_wait_share": quartiles(shares)}

    def overhead(self, rounds: int) -> dict[str, Any]:
        """Measures the time of `fit` over that of a bare loop."""
        batches, step = self._in_memory(), _bare_step(self._model)

        def loop() -> None:
            for batch in batches:
                loss = step(batch)
            loss.numpy()

        seconds = time_in_turn(
            {"fit": partial(_fit, self._model, batches), "loop": loop}, rounds=rounds
        )
        rate = self._sizes.steps * 1024 / np.median(seconds["fit"])
        return {
            "fit.overhead_vs_bare_loop": ratio(seconds["fit"], seconds["loop"]),
            "fit.examples_per_second": float(rate),
        }

    def gain(self, option: str, rounds: int) -> dict[str, Any]:
        """Measures the time of `fit` without an option over that with it."""
        batches = self._in_memory()
        model = self._build(self.config(**OPTIONS[option]))
        seconds = time_in_turn(
            {
                "without": partial(_fit, self._model, batches),
                "with": partial(_fit, model, batches),
            },
            rounds=rounds,
        )
        return {f"fit.{option}_speedup": ratio(seconds["without"], seconds["with"])}

    def vocabularies(self, optimizer: str, rounds: int) -> dict[str, Any]:
        """Makes the steps with a large and with a small table."""
        steps = {}
        found: dict[str, Any] = {}
        for name, size in zip(
            ("small", "large"), self._sizes.vocabularies, strict=True
        ):
            config = self.config(vocabulary=size, optimizer=optimizer)
            # Different rows of the table in each step.
            batches = list(self._dataset(config).take(self._sizes.steps))
            step = partial(_run, _bare_step(self._build(config)), cycle(batches))
            step()  # traces
            memory = peak_memory(partial(step, times=3))
            if memory is not None:
                found[f"fit.{optimizer}_{name}_step_mib"] = memory
            steps[name] = step
        seconds = time_in_turn(steps, rounds=max(rounds, 5))
        times = ratio(seconds["large"], seconds["small"])
        return {f"fit.{optimizer}_large_vs_small": times, **found}

    def _in_memory(self) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors(self._batch).repeat(self._sizes.steps)


def _bare_step(model: Any) -> Callable[[Any], Any]:
    """Makes a training step as written without a framework: no metrics."""
    weights = model.trainable_variables
    sources = [tf_variable(weight) for weight in weights]

    @tf.function(autograph=False)
    def step(batch: Any) -> Any:
        features, labels, _ = batch
        with tf.GradientTape() as tape:
            logits = model.network(features, training=True)
            losses = [
                tf.reduce_mean(
                    tf.nn.sigmoid_cross_entropy_with_logits(
                        labels[task][:, None], tf.cast(logits[task], tf.float32)
                    )
                )
                for task in model.tasks
            ]
            loss = tf.add_n(losses)
        gradients = tape.gradient(loss, sources)
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return loss

    return step


def _run(step: Callable[[Any], Any], batches: Iterator[Any], *, times: int = 1) -> None:
    for batch in islice(batches, times):
        step(batch).numpy()


def _fit(model: Any, batches: tf.data.Dataset) -> None:
    model.fit(batches, epochs=1, shuffle=False, verbose=0)
