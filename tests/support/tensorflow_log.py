"""The lines that TensorFlow's C++ writes to the standard error."""

import re

_LINE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\)"
    r"|[IWE]\d{4} [\d:.]+ +\d+ op_level_cost_estimator\.cc"
)


def without_cost_estimates(text):
    """Drops what TensorFlow 2.16 says, at any log level, of a softmax's cost."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not _LINE.match(line))
