# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Errors of one sentence, and lines that show progress."""

from __future__ import annotations

import sys
import time

_STARTED = time.monotonic()


class StackError(Exception):
    """A failure. Its text is one sentence that says what is wrong and what to do."""


def say(message: str) -> None:
    """Print one line of progress with the seconds since the command began."""
    print(f"[{time.monotonic() - _STARTED:6.1f} s] {message}", file=sys.stderr, flush=True)
