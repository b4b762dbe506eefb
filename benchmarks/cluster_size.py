"""How many GPUs a HoME takes: memory, network and time of a step on 1 to 64 of them.

    python benchmarks/cluster_size.py [--ids 1e9] [--width 16] [--batch 4096] ...

Computes it by the formulas of `docs/guides/scaling.md`, without TensorFlow, and prints
tables. Every size and every figure of the hardware is an option.
`check_cluster_size.py` compares the formulas with measurements.
"""

import argparse
import dataclasses
from dataclasses import dataclass
from itertools import pairwise

FLOAT = 4  # bytes of a number
GPUS = (1, 2, 4, 8, 16, 32, 64)
DAY = 24 * 60 * 60
# Numbers that training holds of every weight: itself and Adam's two moments.
HELD = 3
# Of every row of a table that a step looks up, LazyAdam makes five arrays: the gathered
# gradients, their sums by id, both moments and the change.
ROW_ARRAYS = 5
# Times that a step moves a weight to or from memory: forward, backward, its gradient
# written, and Adam's four reads and three writes.
WEIGHT_MOVES = 10


@dataclass(frozen=True)
class Network:
    """Sizes of HoME and its towers, as its constructor names them.

    Attributes:
        features: Width of the ranking input, `|v|`.
        groups: Number of tasks of each group.
        units: Widths of an expert's layers, the last of which is `D`.
        shared: Shared experts of each level.
        group: Experts of each group, at each level.
        task: Experts of each task.
        loras: Low-rank maps of a feature gate.
        ranks: Their rank at the meta and at the task level.
        tower: Widths of a tower's hidden layers.
    """

    features: int = 3000
    groups: tuple[int, ...] = (6, 14)
    units: tuple[int, ...] = (512, 256)
    shared: int = 2
    group: int = 2
    task: int = 1
    loras: int = 2
    ranks: tuple[int, int] = (1500, 128)
    tower: tuple[int, ...] = (32,)

    @property
    def tasks(self):
        """Number of tasks."""
        return sum(self.groups)

    @property
    def meta_experts(self):
        """Number of experts at the meta level."""
        return self.shared + len(self.groups) * self.group

    @property
    def experts(self):
        """Number of experts of both levels."""
        return 2 * self.meta_experts + self.tasks * self.task

    def parameters(self):
        """Number of trainable weights."""
        groups, f, d = len(self.groups), self.features, self.units[-1]
        meta, seen = self.meta_experts, self.shared + self.group

        def expert(width):  # BatchNorm's scale and shift are in the place of a bias
            return _kernels(width, self.units) + sum(self.units) + d

        def feature_gate(width, rank):
            return 2 * self.loras * width * rank + self.loras * (width + 1)

        return (
            meta * expert(f)
            + (groups + 1) * feature_gate(f, self.ranks[0])
            + (f + 1) * (2 * meta + groups * seen)
            + (meta + self.tasks * self.task) * expert(d)
            + (1 + groups + self.tasks) * feature_gate(d, self.ranks[1])
            + self.tasks * ((2 * d + 1) * (seen + self.task) + (d + 1) * self.task)
            + self.tasks * (_kernels(d, (*self.tower, 1)) + sum(self.tower) + 1)
        )

    def moving_moments(self):
        """Number of BatchNorm's moving means and variances."""
        return 2 * self.units[-1] * self.experts

    def operations(self):
        """Floating-point operations of one example's forward pass."""
        groups, f, d = len(self.groups), self.features, self.units[-1]
        meta, seen = self.meta_experts, self.shared + self.group

        def feature_gate(width, rank):
            return 2 * self.loras * width * rank + (2 * self.loras - 1) * width

        return 2 * (
            meta * _kernels(f, self.units)
            + (groups + 1) * feature_gate(f, self.ranks[0])
            + (f + d) * (meta + groups * seen)
            + f * meta
            + (meta + self.tasks * self.task) * _kernels(d, self.units)
            + (1 + groups + self.tasks) * feature_gate(d, self.ranks[1])
            + self.tasks * (3 * d * (seen + self.task) + d * self.task)
            + self.tasks * _kernels(d, (*self.tower, 1))
        )

    def activations(self):
        """Numbers that one example's forward pass keeps for the backward pass, roughly.

        The maps, their mixture and the gated input of each feature gate, and every
        layer's output.
        """
        groups, d = len(self.groups), self.units[-1]

        def feature_gate(width, rank):
            return (self.loras + 2) * width + self.loras * rank

        return (
            self.features
            + (groups + 1) * feature_gate(self.features, self.ranks[0])
            + (1 + groups + self.tasks) * feature_gate(d, self.ranks[1])
            + self.experts * (sum(self.units) + 2 * d)
            + self.tasks * (2 * d + sum(self.tower))
        )


def _kernels(width, units):
    return sum(a * b for a, b in pairwise((width, *units)))


@dataclass(frozen=True)
class Tables:
    """The embedding tables.

    Attributes:
        ids: Rows of all tables together.
        width: Width of an embedding.
        lookups: Rows that an example looks up.
        optimizer: `lazy_adam`, which moves the rows that are looked up, or `adam`.
    """

    ids: float = 1e9
    width: int = 16
    lookups: int = 180
    optimizer: str = "lazy_adam"

    def held_bytes(self):
        """Bytes of the rows and of Adam's moments of them."""
        return HELD * self.ids * self.width * FLOAT

    def gradient_bytes(self, batch):
        """Bytes of a batch's gradient: a row and an int32 id for every lookup."""
        return batch * self.lookups * (self.width * FLOAT + 4)

    def moved_bytes(self, batch):
        """Bytes that a step moves to and from memory, for a global batch."""
        row = self.width * FLOAT
        moved = batch * self.lookups * row * (ROW_ARRAYS + 2 * HELD)
        everything = 2 * HELD * self.ids * row if self.optimizer == "adam" else 0
        return moved + everything


@dataclass(frozen=True)
class Hardware:
    """The speed of one GPU and its links, in bytes and operations per second.

    Attributes:
        gpu_memory: Bytes of a GPU, of which `usable` can be filled.
        flops: Peak of the products. TensorFlow uses TF32 for float32.
        utilisation: The share of it that is reached: an assumption.
        memory_speed: Of the GPU's memory.
        nvlink: Of one direction between GPUs of a machine.
        network: Of one direction between machines, all adapters of one together.
        link_share: The share of a link's speed that a collective operation reaches.
        gpus_per_machine: GPUs that `nvlink` connects.
        write_speed: At which the chief writes a checkpoint.
        values_per_core: Values of packed records that a CPU core decodes a second.
    """

    gpu_memory: float = 141e9
    usable: float = 0.9
    flops: float = 495e12
    utilisation: float = 0.3
    memory_speed: float = 4.8e12
    nvlink: float = 450e9
    network: float = 400e9
    link_share: float = 0.8
    gpus_per_machine: int = 8
    write_speed: float = 0.5e9
    values_per_core: float = 32e6

    def ring_time(self, sent, gpus):
        """Seconds for every GPU to send these bytes to its neighbour in a ring.

        As many rings as there are adapters pass through a machine, so that each byte
        enters it once and all adapters share the work.
        """
        within = gpus <= self.gpus_per_machine
        link = self.nvlink if within else min(self.nvlink, self.network)
        return sent / (self.link_share * link)

    def exchange_time(self, sent, gpus):
        """Seconds for every GPU to send these bytes, evenly to all others."""
        own = self.network / self.gpus_per_machine
        away = max(0, gpus - self.gpus_per_machine) / max(1, gpus - 1)
        return sent * (away / own + (1 - away) / self.nvlink) / self.link_share


@dataclass(frozen=True)
class Step:
    """A step on a number of GPUs: bytes per GPU, and seconds.

    The three times may overlap: a step takes at least the longest (`fastest`) and at
    most their sum (`slowest`).
    """

    gpus: int
    batch: int
    memory: float
    dense: float
    sparse: float
    compute_time: float
    memory_time: float
    network_time: float

    @property
    def fastest(self):
        """Seconds if everything overlaps."""
        return max(self.compute_time, self.memory_time, self.network_time)

    @property
    def slowest(self):
        """Seconds if nothing does."""
        return self.compute_time + self.memory_time + self.network_time

    @property
    def examples_per_second(self):
        """Of all GPUs, if nothing overlaps."""
        return self.gpus * self.batch / self.slowest


def dense_bytes(network, gpus):
    """Bytes that a GPU sends per step to sum all gradients except tables' (ring)."""
    return 2 * (gpus - 1) / gpus * network.parameters() * FLOAT


def sparse_bytes(tables, gpus, batch):
    """Bytes that a GPU sends per step to share all rows' gradients (ring)."""
    return (gpus - 1) * tables.gradient_bytes(batch)


def exchanged_bytes(tables, gpus, batch):
    """The same if every GPU holds a part of the rows: each goes to one GPU and back.

    Ids of 8 bytes are sent to where their rows are, rows come back, and gradients go.
    """
    lookups = batch * tables.lookups * (gpus - 1) / gpus
    return lookups * (8 + 2 * tables.width * FLOAT)


def replicated(network, tables, hardware, gpus, batch):
    """A step with all tables on every GPU, as `mirrored` and `multi_worker` do."""
    sparse = sparse_bytes(tables, gpus, batch)
    return _step(
        network,
        hardware,
        gpus,
        batch,
        held=tables.held_bytes() + ROW_ARRAYS * gpus * tables.gradient_bytes(batch),
        moved=tables.moved_bytes(gpus * batch),
        sparse=sparse,
        sparse_time=hardware.ring_time(sparse, gpus),
    )


def spread(network, tables, hardware, gpus, batch):
    """A step with a part of the rows on every GPU, which this library does not do."""
    own = dataclasses.replace(tables, ids=tables.ids / gpus)
    sparse = exchanged_bytes(tables, gpus, batch)
    return _step(
        network,
        hardware,
        gpus,
        batch,
        held=own.held_bytes() + ROW_ARRAYS * tables.gradient_bytes(batch),
        moved=own.moved_bytes(batch),
        sparse=sparse,
        sparse_time=hardware.exchange_time(sparse, gpus),
    )


def _step(network, hardware, gpus, batch, *, held, moved, sparse, sparse_time):
    weights = network.parameters() * FLOAT
    activations = network.activations() * FLOAT * batch
    dense = dense_bytes(network, gpus)
    # Forward once, backward twice.
    operations = 3 * network.operations() * batch
    moved += WEIGHT_MOVES * weights + 3 * activations
    return Step(
        gpus=gpus,
        batch=batch,
        memory=held + (HELD + 1) * weights + activations,
        dense=dense,
        sparse=sparse,
        compute_time=operations / (hardware.flops * hardware.utilisation),
        memory_time=moved / hardware.memory_speed,
        network_time=hardware.ring_time(dense, gpus) + sparse_time,
    )


def checkpoint_bytes(network, tables):
    """Bytes of a checkpoint: weights, Adam's moments and BatchNorm's."""
    numbers = HELD * network.parameters() + network.moving_moments()
    return numbers * FLOAT + tables.held_bytes()


def largest_ids(network, tables, hardware, gpus, batch):
    """How many ids fit, if all tables are on every GPU."""
    rest = replicated(
        network, dataclasses.replace(tables, ids=0), hardware, gpus, batch
    ).memory
    free = hardware.usable * hardware.gpu_memory - rest
    return max(0.0, free / (HELD * tables.width * FLOAT))


def main():
    """Prints the sizes and the tables."""
    options = read_options()
    network = _pick(Network, options)
    tables, hardware = _pick(Tables, options), _pick(Hardware, options)
    needed = options.impressions / DAY
    print(describe(network, tables, hardware, needed), end="\n\n")
    for name, make in (
        ("all tables on every GPU", replicated),
        ("the rows spread over the GPUs", spread),
    ):
        steps = [make(network, tables, hardware, n, options.batch) for n in GPUS]
        limit = hardware.usable * hardware.gpu_memory
        print(f"With {name}, {options.batch:,} rows a GPU and step:\n")
        print(table(steps, limit, needed), end="\n\n")


def read_options():
    """Reads the options: every field of the three classes, and the questions."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--batch", type=int, default=4096, help="rows a GPU")
    parser.add_argument("--impressions", type=float, default=5e10, help="a day")
    for kind in (Network, Tables, Hardware):
        for field in dataclasses.fields(kind):
            several = isinstance(field.default, tuple)
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=type(field.default[0] if several else field.default),
                nargs="+" if several else None,
                choices=("adam", "lazy_adam") if field.name == "optimizer" else None,
                default=field.default,
                help=" ",
            )
    return parser.parse_args()


def _pick(kind, options):
    found = {f.name: getattr(options, f.name) for f in dataclasses.fields(kind)}
    return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in found.items()})


def describe(network, tables, hardware, needed):
    """Describes what does not depend on the number of GPUs, one line each."""
    checkpoint = checkpoint_bytes(network, tables)
    values = needed * (tables.lookups + network.features - tables.lookups * tables.width
                       + network.tasks)  # fmt: skip
    fitting = largest_ids(network, tables, hardware, 1, 0)
    told = tables.gradient_bytes(1)
    ceiling = 1 / hardware.ring_time(told, hardware.gpus_per_machine + 1)
    return "\n".join(
        [
            f"parameters without tables: {network.parameters():,}",
            f"operations of an example: {3 * network.operations():,} a step",
            f"tables and Adam's moments: {tables.held_bytes() / 1e9:,.1f} GB",
            f"ids that fit on a GPU at width {tables.width}: {fitting:,.0f}",
            f"checkpoint: {checkpoint / 1e9:,.1f} GB, "
            f"{checkpoint / hardware.write_speed:,.0f} s to write",
            f"an example's gradient of rows: {told:,.0f} bytes, so between machines at "
            f"most {ceiling:,.0f} examples a second",
            f"impressions: {needed:,.0f} a second, of which every machine decodes "
            f"{values:,.0f} values: {values / hardware.values_per_core:,.1f} cores",
        ]
    )


def table(steps, limit, needed):
    """Markdown: a row for each number of GPUs."""
    lines = [
        "| GPUs | memory of each, GB | sends, MB: dense | rows | ms: compute | memory "
        "| network | step, ms | examples/s | of the day |",
        "|---:|---|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    for s in steps:
        fits = "" if s.memory <= limit else ", too much"
        lines.append(
            f"| {s.gpus} | {s.memory / 1e9:,.1f}{fits} | {s.dense / 1e6:,.0f} "
            f"| {s.sparse / 1e6:,.0f} | {1e3 * s.compute_time:.1f} "
            f"| {1e3 * s.memory_time:.1f} | {1e3 * s.network_time:.1f} "
            f"| {1e3 * s.fastest:.1f} to {1e3 * s.slowest:.1f} "
            f"| {s.examples_per_second:,.0f} | {s.examples_per_second / needed:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
