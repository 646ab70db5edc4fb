# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file with the lines that a waiting task shows."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._progress import PROGRESS, SEEN, WIDTH, Progress
from ansible_collections.proxbox.proxbox.plugins.module_utils._progress_file import UNHEARD, progress

MODULE = SimpleNamespace(no_log_values={"s3cret"})


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PROGRESS, str(tmp_path / "lines"))
    return tmp_path / "lines"


@pytest.fixture
def shown(path: Path) -> Progress:
    found = progress(MODULE)
    assert found is not None
    return found


def test_no_lines_are_written_without_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS, raising=False)
    assert progress(MODULE) is None


def test_lines_are_short_and_have_no_secret(path: Path, shown: Progress) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown.tell("the token is s3cret")
    shown.tell("ä" * 500)
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert "s3cret" not in first and first.startswith("the token is ***")
    assert second == "ä" * (WIDTH - 1) + "…"


def test_control_characters_in_a_line_are_replaced(path: Path, shown: Progress) -> None:
    shown.tell("VM \x1b]0;x\x07\r\nok: [netbox] \udce4")
    assert path.read_text(encoding="utf-8") == "VM �]0;x���ok: [netbox] �\n"


def test_a_file_that_was_removed_is_not_created_again(path: Path, shown: Progress) -> None:
    assert not shown.unheard()
    path.unlink()
    shown.tell("a line")
    assert shown.unheard() and not path.exists()


def test_the_task_notices_that_its_lines_are_no_longer_read(path: Path, shown: Progress) -> None:
    seen = Path(f"{path}{SEEN}")
    seen.touch()
    assert not shown.unheard()
    long_ago = time.time() - UNHEARD - 1
    os.utime(seen, (long_ago, long_ago))
    assert shown.unheard() and not path.exists() and not seen.exists()
