# SPDX-License-Identifier: GPL-2.0-or-later
"""Paging as the manual describes it: entry formats, levels, the walk, rights, faults. Caches nothing."""
