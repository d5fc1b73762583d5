# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest seen from outside: its image, its symbols and types, its switches, its instructions."""
