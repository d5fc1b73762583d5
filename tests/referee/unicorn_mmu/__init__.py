# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 1: Unicorn's own MMU, in its default mode, walks the same tables as emu.paging.

A case is a setting of the registers, the paging-structure entries on the way of one linear address, and one access to
it. Two judges give its outcome: `engine.EngineMmu` lets the engine make the access, `judge.model_outcome` asks walk,
check, error_code and accessed_updates. They must agree in everything but what `judge.engine_entries` names.

The engine cannot judge staleness (it flushes in its own way), a MAXPHYADDR other than 40, a CPU without 1-GByte pages
or PSE-36, or the loading of PDPTEs, which it reads from memory in each walk.
"""
