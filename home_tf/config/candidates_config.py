"""The section `serving.candidates`: candidates that are stored in an export."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CandidatesConfig:
    """Candidates that are stored in an export, so that a request only names them.

    Attributes:
        column: The record column that identifies a candidate, such as `video_id`. It
            must belong to a categorical feature that is not in `request_features`.
        latest_by: The record column, such as `date`, whose largest value selects the
            row that is stored for a candidate.
    """

    column: str
    latest_by: str
