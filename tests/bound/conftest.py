# SPDX-License-Identifier: MIT
"""tests/bound uses what tests/watch and tests/fault have."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / name) for name in ("watch", "fault")]
