# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong with captures, peers and options of the network."""


class NetError(Exception):
    """What was asked of the network cannot be: one line with what, where, and the mend."""
