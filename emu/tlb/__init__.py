# SPDX-License-Identifier: GPL-2.0-or-later
"""Caches of translations. They know nothing of walking."""
