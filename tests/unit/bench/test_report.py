# SPDX-License-Identifier: GPL-2.0-or-later
import json

from emu.bench.report import measure


def test_the_report_says_what_the_table_says() -> None:
    report = measure(stretch=500, stretches=1, run=1000, rounds=1, lines=1280, guest=False, screen=False)
    plain = json.loads(json.dumps(report.as_json()))
    assert list(plain["loops"]) == ["copy", "chase", "branchy"]
    assert set(plain["shares"]) == {"fill", "fault", "syscall"}
    assert plain["first_screen_seconds"] is None
    assert plain["keys_milliseconds"] == {}
    assert plain["steps_milliseconds"]["run"] == 1000
    assert list(plain["translations"]) == ["32-bit", "PAE", "4-level", "5-level"]
    for rates in plain["translations"].values():
        assert all(rates[f"{what}_per_second"] > 0 for what in ("hits", "misses", "walks"))
    assert {name: row["lines"] for name, row in plain["trace_import"].items()} == {
        "a loop": 1280,
        "every page new": 64,
    }
    assert all(row["lines_per_second"] > 0 for row in plain["trace_import"].values())
