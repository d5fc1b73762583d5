# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen: a lesson in a terminal. Widgets show; what they show is computed in `emu.view`."""
