# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: read decoded JSON whose shape is not certain.

NetBox does not check the JSON that the plugin stores. If a value has another type than expected, each function returns
an empty value or None, and raises no error. Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone


def mapping(value: object) -> Mapping[str, object]:
    """Return the value if it is a JSON object; otherwise an empty mapping."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """Return the items of the value if it is a JSON array; otherwise an empty list."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[Mapping[str, object]]:
    """Return the JSON objects in a JSON array. Items of other types are left out."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def text(value: object) -> str:
    """Return the value as text; empty for null and for any other empty value."""
    return str(value or "")


def choice(value: object) -> str:
    """Return the value of a NetBox choice field: ``{"value": "running", "label": "Running"}`` or the value alone."""
    return text(value.get("value") if isinstance(value, Mapping) else value)


def number(value: object) -> int | None:
    """Return an id or a count. The plugin writes ids as numbers in some places and as text in others."""
    digits = str(value)
    # NetBox's ids have 64 bits. Python refuses to read very long numbers.
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None


def numbers(value: object) -> frozenset[int]:
    """Return the ids in a JSON array. Other items are left out."""
    return frozenset(found for item in items(value) if (found := number(item)) is not None)


def seconds(value: object) -> float | None:
    """Return a number of seconds."""
    try:
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    except OverflowError:
        return None


def moment(value: object) -> datetime | None:
    """Return a time in UTC, from RFC 3339 text with an offset; None for text without an offset."""
    try:
        time = datetime.fromisoformat(text(value))
        return time.astimezone(timezone.utc) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
