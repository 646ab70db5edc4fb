# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: text of a server, made fit to be shown. Pure."""

from __future__ import annotations

import re

_STEERING = r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
"""Characters that steer a terminal, turn the direction of the text or hide in it; and halves of characters."""


def clean(text: str) -> str:
    """Return text in one line, with nothing in it that steers a terminal or cannot be shown."""
    return re.sub(f"[{_STEERING}]", "\N{REPLACEMENT CHARACTER}", text.replace("\t", " "))


def clean_lines(text: str) -> str:
    """Return text as ``clean`` does, with its line breaks."""
    return "\n".join(map(clean, text.replace("\r\n", "\n").split("\n")))


def shortened(text: str, width: int) -> str:
    """Return the text, or its first characters and an ellipsis if it is longer than ``width`` characters."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
