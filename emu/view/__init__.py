# SPDX-License-Identifier: GPL-2.0-or-later
"""What a screen, a page of text or a notebook cell shows, as plain rows. Nothing here draws, nothing here acts."""
