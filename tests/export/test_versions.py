"""The numbered versions of a model: what counts as one, and who may change them."""

import signal
import subprocess
import sys

import pytest

from home_tf.errors import HomeError
from home_tf.export import Versions


def names(folder):
    return {path.name for path in folder.iterdir()}


def publish(versions):
    with versions.publish(keep=9) as (version, partial):
        (partial / "saved_model.pb").touch()
        assert not version.exists()
    assert (version / "saved_model.pb").exists()
    return version


def test_a_withdrawn_version_is_not_seen_and_its_number_not_used_again(tmp_path):
    for number in (1, 2, 10):
        (tmp_path / str(number)).mkdir()
    versions = Versions(tmp_path)
    assert versions.roll_back() == (10, 2)
    assert versions.numbers() == [1, 2]
    assert publish(versions) == tmp_path / "11"
    assert versions.roll_back() == (11, 2)
    assert versions.roll_back() == (2, 1)
    with pytest.raises(HomeError, match=r"no version to roll back to. Versions: 1$"):
        versions.roll_back()
    with pytest.raises(HomeError, match=r"none: no such folder"):
        Versions(tmp_path / "none").roll_back()
    assert not (tmp_path / "none").exists()


def test_what_a_killed_export_left_goes_with_the_next(tmp_path):
    for name in ("4", ".5.partial", ".2.removed", ".3.withdrawn", ".other"):
        (tmp_path / name / "variables").mkdir(parents=True)
    (tmp_path / ".5.lock").touch()
    assert publish(Versions(tmp_path)).name == "5"
    assert names(tmp_path) == {"4", "5", ".3.withdrawn", ".other"}


def test_what_fails_is_removed(tmp_path):
    def fail():
        with Versions(tmp_path).publish(keep=9) as (_, partial):
            (partial / "variables").mkdir()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("name", "next_number"), [("007", "8"), ("²", "1"), ("٣", "1"), ("-1", "1")]
)
def test_a_folder_with_another_name_is_left_alone(tmp_path, name, next_number):
    (tmp_path / name).mkdir()
    versions = Versions(tmp_path)
    assert versions.numbers() == []
    assert publish(versions).name == next_number
    assert names(tmp_path) == {name, next_number}


@pytest.mark.parametrize("name", ["1", ".1.partial", ".1.withdrawn"])
def test_a_file_is_no_version_and_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("of the user")
    versions = Versions(tmp_path)
    assert versions.numbers() == []
    assert publish(versions).name == "2"
    assert (tmp_path / name).read_text() == "of the user"


def test_one_change_of_a_model_at_a_time(tmp_path):
    first, second = Versions(tmp_path), Versions(tmp_path)
    assert publish(first).name == "1"
    assert publish(first).name == "2"
    message = rf"^{tmp_path}: another export or rollback of this model is running"
    with first.publish(keep=2) as (_, partial):
        with pytest.raises(HomeError, match=message):
            publish(second)
        with pytest.raises(HomeError, match=message):
            second.roll_back()
        assert partial.is_dir()
    assert first.numbers() == [2, 3]
    assert second.roll_back() == (3, 2)


@pytest.mark.slow
def test_a_killed_process_leaves_no_lock(tmp_path):
    script = (
        "import sys; from home_tf.export import Versions\n"
        "with Versions(sys.argv[1]).publish(keep=1):\n"
        "    print('begun', flush=True)\n"
        "    input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "begun\n"
        with pytest.raises(HomeError, match="is running"):
            publish(Versions(tmp_path))
        other.send_signal(signal.SIGKILL)
    assert publish(Versions(tmp_path)).name == "1"
