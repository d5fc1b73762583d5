# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU: Unicorn executes, microcode does what a processor does and Unicorn does not."""
