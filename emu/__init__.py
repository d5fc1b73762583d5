# SPDX-License-Identifier: GPL-2.0-or-later
"""Pagewalk: an emulator of an x86 MMU and TLB to learn from."""
