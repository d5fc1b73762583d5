# SPDX-License-Identifier: GPL-2.0-or-later
"""The lesson's screen and what opens above it."""
