# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast it is, in one run on one machine, as ratios to the bare engine where a ratio is possible."""
