# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces: record the events of a run, read them back, compare two, show them, count them."""
