# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario can do wrong."""


class LabError(Exception):
    """A scenario asked for something that cannot be: one line."""
