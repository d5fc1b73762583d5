# SPDX-License-Identifier: GPL-2.0-or-later
"""Lets the referees' tests import the helpers that stand beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
