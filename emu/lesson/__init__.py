# SPDX-License-Identifier: GPL-2.0-or-later
"""Lessons: the scenario API, the course, checks, grading."""
