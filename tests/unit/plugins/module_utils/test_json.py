# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading values of JSON whose shape is not certain."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._json import (
    choice,
    items,
    mapping,
    mappings,
    moment,
    number,
    numbers,
    seconds,
    text,
)

ANY_JSON = [None, True, False, 0, 7, -1, 1.5, float("inf"), "", "7", "seven", [], [7], [{}], {}, {"value": 7}]


@pytest.mark.parametrize("value", ANY_JSON)
def test_each_reader_takes_each_value(value: object) -> None:
    assert mapping(value) == (value if isinstance(value, dict) else {})
    assert items(value) == (value if isinstance(value, list) else [])
    assert mappings(value) == ([{}] if value == [{}] else [])
    assert isinstance(text(value), str) and isinstance(choice(value), str)
    assert moment(value) is None


def test_text_and_choices() -> None:
    assert [text(value) for value in ("running", 7, None, {})] == ["running", "7", "", ""]
    assert choice({"value": "running", "label": "Running"}) == choice("running") == "running"
    assert choice({"label": "Running"}) == choice(None) == ""


def test_an_id_is_a_number_or_decimal_text() -> None:
    assert number(7) == number("7") == 7
    assert [number(value) for value in (None, True, -7, 1.5, "", "x", "²", "٣", [7], "7" * 5000)] == [None] * 10
    assert numbers(["3", 12, "x", None, [4]]) == {3, 12} and numbers("3") == frozenset()


def test_seconds_are_any_number() -> None:
    assert (seconds(7), seconds(1.5), seconds(0)) == (7.0, 1.5, 0.0)
    assert [seconds(value) for value in (None, True, "7", [7], 10**400)] == [None] * 5


def test_a_time_has_an_offset() -> None:
    expected = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert moment("2026-11-24T09:30:00Z") == moment("2026-11-24T10:30:00+01:00") == expected
    assert moment("2026-11-24T10:30:00+01:00").tzinfo is UTC
    for value in ("2026-11-24T09:30:00", "2026-11-24", "tomorrow", "0001-01-01T00:00:00+05:00"):
        assert moment(value) is None
