# SPDX-License-Identifier: GPL-2.0-or-later
"""One panel, one file. Nothing is computed here."""
