"""Commands of `home-tf`, run in the process of the test."""

import logging
import os
import sys
from types import SimpleNamespace

import pytest


def commands_here(monkeypatch, capfd):
    """Lends a function that runs a command at 80 columns; the body of a fixture.

    It returns the exit code and what was printed. What a command sets is as it was
    after the test.
    """
    monkeypatch.setattr("os.environ", {**os.environ, "COLUMNS": "80"})
    level = logging.getLogger("tensorflow").level

    def run(*arguments):
        # The command line picks its Keras, so it is not imported before.
        from home_tf.__main__ import main

        monkeypatch.setattr(sys, "argv", ["home-tf", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=out, stderr=err)

    yield run
    logging.getLogger("tensorflow").setLevel(level)
