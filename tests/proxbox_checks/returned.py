# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Write the parts of RETURN that several modules share into the modules, from the files in returned/."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = Path(__file__).parent / "returned"

_BLOCK = re.compile(
    r"^(?P<indent> *)contains: # (?P<names>[a-z_, ]+)\n(?P<old>(?:(?P=indent) +.*\n|\n)*)", re.MULTILINE
)
"""A block and its mark: the content of returned/job.yml follows ``contains: # job``."""


def outdated(checkout: Path) -> list[str]:
    """Return the names of the modules whose blocks differ from the files."""
    return [path.name for path in _modules(checkout) if _filled(path) != path.read_text(encoding="utf-8")]


def write(checkout: Path) -> None:
    """Write the files into the modules."""
    for path in _modules(checkout):
        path.write_text(_filled(path), encoding="utf-8")


def _modules(checkout: Path) -> list[Path]:
    return sorted((checkout / "plugins" / "modules").glob("*.py"))


def _filled(path: Path) -> str:
    return _BLOCK.sub(_new, path.read_text(encoding="utf-8"))


def _new(block: re.Match[str]) -> str:
    lines = []
    for name in block["names"].split(","):
        text = (SOURCES / f"{name.strip()}.yml").read_text(encoding="utf-8").partition("---\n")[2]
        lines += [f"{block['indent']}  {line}".rstrip() for line in text.splitlines()]
    return f"{block['indent']}contains: # {block['names']}\n" + "".join(f"{line}\n" for line in lines)
