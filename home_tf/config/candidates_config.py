"""The section `serving.candidates`: candidates whose columns an export holds."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CandidatesConfig:
    """Candidates whose columns an export holds, so that a request only names them.

    Attributes:
        column: The record column that names a candidate, such as `video_id`: that of a
            categorical feature which is not in `request_features`.
        latest_by: The record column, such as `date`, whose largest value picks the row
            of a candidate that is held.
    """

    column: str
    latest_by: str
