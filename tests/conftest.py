"""What all tests share: small prepared data, and a configuration that fits it."""

import csv
import fcntl
import gzip
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

# The tests are no package: what they share is found beside this file.
sys.path.insert(0, str(Path(__file__).parent))

# A job in the background of a shell ignores Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# They begin, each on one worker: a long file at the end leaves the others idle.
LONGEST = [
    "test_several_workers.py",
    "test_data_service.py",
    "test_train.py",
    "test_bench.py",
    "test_readme.py",
    "test_distributed.py",
    "test_runs.py",
    "test_export.py",
    "test_loss_weighting.py",
    "test_ranking_models.py",
    "test_compare.py",
    "test_cli.py",
    "test_saving.py",
    "test_publishing.py",
    "test_tensorflow_versions.py",
    "test_bad_data.py",
    "test_fit.py",
    "test_serving.py",
    "test_candidates.py",
    "test_diagnose_run.py",
    "test_every_layer.py",
    "test_trainers.py",
    "test_architectures.py",
    "test_naive_home.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_configure(config: pytest.Config) -> None:
    """Splits the CPU in two devices, for the tests of distribution strategies."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # by numbers of tests, not by time
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the process that only hands out the tests
    try:
        import tensorflow as tf
    except ImportError:  # the environment of the JAX tests
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    device = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [device, device])


@pytest.fixture(scope="session")
def real_source() -> Path:
    """The folder of KuaiRand; without it the test is skipped."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "kuairand_pure"
    folder = Path(os.environ.get("HOME_TF_KUAIRAND", beside))
    if not folder.is_dir():
        pytest.skip("KuaiRand is not here: set HOME_TF_KUAIRAND to its folder")
    return folder


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated logs in the layout of KuaiRand: 6,000 rows over 6 days."""
    from home_tf.lab.synthetic import generate

    folder = tmp_path_factory.mktemp("generated") / "logs"
    generate(folder, users=300, videos=200, days=6, rows=6000)
    return folder


@pytest.fixture(scope="session")
def prepared(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs as records."""
    from support.kuairand import kuairand_config

    from home_tf.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared") / "records"
    prepare(logs, kuairand_config(length=5), folder, shards=2)
    return folder


@pytest.fixture
def read_csv() -> Callable[[Path], list[dict[str, str]]]:
    """Reads the rows of a CSV file, compressed or not."""

    def rows_of(file: Path) -> list[dict[str, str]]:
        opened: Any = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", newline="") as lines:
            return list(csv.DictReader(lines))

    return rows_of


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Lends a folder that all workers share, and says whether it is new."""

    @contextmanager
    def lend(name: str) -> Iterator[tuple[Path, bool]]:
        base = tmp_path_factory.getbasetemp()
        base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        folder, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # goes with the file
            is_new = not done.exists()
            folder.mkdir(exist_ok=True)
            yield folder, is_new
            done.touch()

    return lend


@pytest.fixture
def limited_files() -> Callable[[int], AbstractContextManager[None]]:
    """A full disk: in the context no file can grow beyond a number of bytes."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Without it the process is killed instead of told.
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limit


@pytest.fixture(scope="session")
def write_config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes the small configuration, with text replaced in it, to a file."""

    def write(**replacements: str) -> Path:
        from support.small_config import SMALL_CONFIG

        text = SMALL_CONFIG
        for old, new in replacements.pop("replace", {}).items():  # type: ignore
            assert old in text, f"{old!r} is not in the configuration"
            text = text.replace(old, new)
        path = tmp_path_factory.mktemp("config") / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def small_config(write_config: Callable[..., Path]) -> Callable[..., Any]:
    """Loads the small configuration, with overrides by dotted key."""
    from home_tf.config import load_config

    def load(**overrides: Any) -> Any:
        dotted = {key.replace("__", "."): value for key, value in overrides.items()}
        return load_config(write_config(), dotted)

    return load
