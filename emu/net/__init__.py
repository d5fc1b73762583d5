# SPDX-License-Identifier: GPL-2.0-or-later
"""What is at the other end of the cards' wires: captures read and written, and peers that answer."""
