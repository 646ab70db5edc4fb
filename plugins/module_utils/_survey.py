# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: read options that are answers of an AWX survey. Pure.

AWX (24.6) passes a blank answer as ``""``, as null, or not at all. It has no survey question for a list, so the answer
is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ._errors import ProxboxError


def read_answers(given: Mapping[str, Any], spec: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the options of a task as Ansible's argument spec takes them.

    A blank option counts as not set. A list may be text with commas or line breaks, or YAML or JSON.

    :raises ProxboxError: with a sentence, if text should be YAML or JSON and is not.
    """
    taken = {}
    for name, value in given.items():
        option = spec.get(name)
        if option is None:
            taken[name] = value  # Ansible's own option, or an unknown one, which Ansible reports
            continue
        if option.get("type") == "list":
            value = _list(name, value, option)
        elif "choices" in option and isinstance(value, str):
            value = value.strip()
        if not _is_blank(value):
            taken[name] = value
    return taken


def _list(name: str, value: Any, option: Mapping[str, Any]) -> Any:
    """Return the value of an option that is a list; None if it has only blank items."""
    if _is_blank(value):
        return None
    if isinstance(value, str):
        # A pattern such as [ab]* is text. A list in YAML or JSON with a single item has quotes.
        is_list = re.fullmatch(r"\[.*[,\"'].*\]", value.strip(), re.DOTALL) or option.get("elements") == "dict"
        value = _parse(name, value) if is_list else re.split(r"[,\n]", value)
    if not isinstance(value, list):
        return value  # Ansible reports it
    if option.get("elements") == "dict":
        items = [read_answers(item, option["options"]) if isinstance(item, dict) else item for item in value]
    else:
        items = [item.strip() if isinstance(item, str) else item for item in value]
    kept = [item for item in items if not _is_blank(item)]
    return kept if kept or not value else None


def _parse(name: str, text: str) -> Any:
    """Return the list that a text describes in JSON or YAML.

    :raises ProxboxError: if it describes no list.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = _parse_yaml(name, text)
    if not isinstance(value, list):
        raise ProxboxError(f"{name} is text that is not a list in YAML or JSON: give a list.")
    return value


def _parse_yaml(name: str, text: str) -> Any:
    try:
        import yaml  # installed with ansible-core, but other hosts may lack it
    except ImportError:
        raise ProxboxError(
            f"{name} is text that is not JSON, and the host that runs the module has no PyYAML: give a list or JSON, "
            "or install PyYAML."
        ) from None
    try:
        # Each value stays text. Otherwise 02:00 would become a number, and 2030-01-01 a date.
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ProxboxError(f"{name} is text, but neither YAML nor JSON{where}: give a list.") from None
    return _without_null(value)


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items()}
    return None if value in ("null", "~") else value


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
