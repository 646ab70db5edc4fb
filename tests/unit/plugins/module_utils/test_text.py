# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of a server, made fit to be shown."""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._report import columns
from ansible_collections.proxbox.proxbox.plugins.module_utils._text import clean, clean_lines, shortened


def test_a_text_that_steers_a_terminal() -> None:
    assert clean("a\x1b[31mb\u202ec\nd größe\udce4") == "a�[31mb�c�d größe�"
    assert clean_lines("a\x1b[2Jb\nc\td\r\n\u009be\rf") == "a�[2Jb\nc d\n�e�f"


def test_a_long_text_is_cut() -> None:
    assert (shortened("12345", 5), shortened("123456", 5)) == ("12345", "1234…")


@pytest.mark.parametrize(
    ("text", "width"), [("nightly", 7), ("größe", 5), ("gro\u0308ße", 5), ("夜間", 4), ("a\u00adb", 3), ("ที่นี่", 2)]
)
def test_the_columns_of_a_text(text: str, width: int) -> None:
    assert columns(text) == width
