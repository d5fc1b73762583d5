# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line. One command, one file; what they import is imported when they run."""
