# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Start nox. Install it first if it is missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from proxbox_stack.report import StackError
from proxbox_stack.venvs import ensure_venv

CHECKOUT = Path(__file__).resolve().parents[2]
PINS = CHECKOUT / "tests" / "dev-requirements.txt"


def pinned(package: str) -> str:
    """Return the requirement for a package, in the pinned version unless it names another."""
    pins = dict(line.split("==") for line in PINS.read_text(encoding="utf-8").splitlines() if "==" in line)
    return f"{package}=={pins[package]}" if package in pins else package


def main() -> int:
    """Replace this process by nox, with the arguments of the command line."""
    try:
        nox = ensure_venv("nox", [pinned("antsibull-nox"), pinned("nox")]) / "bin" / "nox"
    except StackError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    os.execv(nox, [str(nox), "--noxfile", str(CHECKOUT / "noxfile.py"), *sys.argv[1:]])
