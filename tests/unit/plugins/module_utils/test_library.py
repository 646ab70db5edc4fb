# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python libraries that a host must have."""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _library


def test_the_library_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _library.library_problem("/usr/bin/python3", "3.13.0") is None
    assert "needs Python 3.11 or newer, and /usr/bin/python3 is 3.10.2: set ansible_python_interpreter to" in (
        _library.library_problem("/usr/bin/python3", "3.10.2")
    )
    monkeypatch.setattr(_library.pynetbox, "__version__", "7.7.9")
    said = _library.library_problem("/usr/bin/python3", "3.13.0")
    assert "pynetbox 7.8.0 or newer" in said and "/usr/bin/python3 (Python 3.13.0) has 7.7.9" in said
    monkeypatch.setattr(_library, "IMPORT_ERROR", "No module named 'pynetbox'")
    assert "cannot import it: No module named 'pynetbox'" in _library.library_problem("/usr/bin/python3", "3.13.0")
