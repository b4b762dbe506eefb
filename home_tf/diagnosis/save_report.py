"""The folder of a diagnosis: `diagnostics.json`, `report.html` and its plots."""

from collections.abc import Mapping
from typing import Any

from home_tf.diagnosis.diagnose_run import FORMAT, VERSION
from home_tf.diagnosis.report import write_report
from home_tf.files import AnyPath, atomic_directory, write_json
from home_tf.run import DIAGNOSTICS_FILE


def save_report(diagnoses: Mapping[str, Mapping[str, Any]], folder: AnyPath) -> None:
    """Writes the folder of a diagnosis atomically.

    Args:
        diagnoses: What `diagnose_run` returns, by the name of the run; several are
            compared side by side.
        folder: New, empty, or of an earlier diagnosis.

    Raises:
        HomeError: If the folder holds anything else, or cannot be written.
    """
    with atomic_directory(
        folder, replaceable=_is_diagnosis, marker=DIAGNOSTICS_FILE
    ) as aside:
        write_json(aside / DIAGNOSTICS_FILE, _content(diagnoses))
        write_report(diagnoses, aside)


def _content(diagnoses: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if len(diagnoses) == 1:
        return dict(next(iter(diagnoses.values())))
    return {"format": FORMAT, "version": VERSION, "runs": dict(diagnoses)}


def _is_diagnosis(folder: AnyPath) -> bool:
    return (folder / DIAGNOSTICS_FILE).is_file()
