"""What `init` refuses, in one line, and that it writes nothing then."""

import numpy as np
import pandas as pd
import pytest

from home_tf.errors import HomeError
from home_tf.init import init

LOG = pd.DataFrame(
    {
        "user": np.arange(200) % 9,
        "colour": np.arange(200) % 5,
        "weight": np.arange(200) / 7,
        "click": np.arange(200) % 2,
    }
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LOG.to_csv("log.csv", index=False)
    LOG.drop(columns="click").to_csv("unlabelled.csv", index=False)
    pd.DataFrame({"colour": [1, 1, 2], "tone": [1, 2, 3]}).to_csv("tones.csv")
    pd.DataFrame({"planet": [1, 2]}).to_csv("planets.csv", index=False)
    (tmp_path / "empty.csv").write_text("user,click\n")
    late = "".join(f"{row % 2},{row % 51}\n" for row in range(30_000)) + "0,abc\n"
    (tmp_path / "late.csv").write_text("click,code\n" + late)
    pd.DataFrame({"click": [0, 1] * 50}).to_csv("labels.csv", index=False)
    (tmp_path / "cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00 no more")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "given", "said"),
    [
        (["none.csv"], {}, r"^`FILES`: no file matches none\.csv in "),
        (["none_*.csv"], {}, r"^`FILES`: no file matches none_\*\.csv in "),
        (["empty.csv"], {}, r"^empty\.csv has no rows$"),
        (["cut.csv.gz"], {}, r"cut\.csv\.gz: is damaged or truncated "),
        (
            ["late.csv"],
            {},
            r"late\.csv, line 30002: .abc. does not fit .* by `--type code=VARCHAR`$",
        ),
        (
            ["labels.csv"],
            {},
            r"^no column can be a feature \(there are only labels\)\. N",
        ),
        (["log.csv"], {"types": {"colour": "NOTHING"}}, r"^`FILES`: .*NOTHING"),
        (["unlabelled.csv"], {}, r"^no column looks like a label \(1 where"),
        (["log.csv"], {"labels": ["clik"]}, r"^`--label`: no column `clik` in the log"),
        (
            ["log.csv"],
            {"labels": ["colour"]},
            r"^`--label`: `colour` has 5 values, but",
        ),
        (
            ["log.csv"],
            {"user": "usr"},
            r"^`--user`: no column `usr` in the log\. Its c",
        ),
        (
            ["log.csv"],
            {"item": "itm"},
            r"^`--item`: no column `itm` in the log\. Its c",
        ),
        (
            ["log.csv"],
            {"user": "click"},
            r"^`click` cannot be a user or item id and so",
        ),
        (
            ["log.csv"],
            {"time": "colour"},
            r"^`--time` is 'colour', which is not a column ",
        ),
        (["log.csv"], {"memory": "much"}, r"^`memory`: "),
        (
            ["log.csv", "tones.csv"],
            {},
            r"^tones\.csv cannot be joined to the log, log\.csv: they share `colour`, "
            r"of which it has some values in several rows",
        ),
        (
            ["log.csv", "planets.csv"],
            {},
            r"^planets\.csv cannot be joined to the log, log\.csv: they share no col",
        ),
    ],
)
def test_bad_input_is_one_line(folder, files, given, said):
    with pytest.raises(HomeError, match=said) as error:
        init(files, "config.yaml", **given)
    assert "\n" not in str(error.value)
    assert not (folder / "config.yaml").exists()


def test_a_type_that_is_given_is_read_and_written(folder):
    init(["late.csv"], "config.yaml", types={"code": "VARCHAR"})
    assert "types: {code: VARCHAR}" in (folder / "config.yaml").read_text()


def test_a_file_that_may_have_been_edited_stays(folder):
    (folder / "config.yaml").write_text("mine")
    with pytest.raises(HomeError, match=r"^config\.yaml exists and may have been ed"):
        init(["log.csv"], "config.yaml")
    assert (folder / "config.yaml").read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(folder):
    with pytest.raises(HomeError, match=r"^configs is not a folder: create it first$"):
        init(["log.csv"], "configs/config.yaml")
