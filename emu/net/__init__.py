# SPDX-License-Identifier: GPL-2.0-or-later
"""What is at the other end of the network cards' wires."""
