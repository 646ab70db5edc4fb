# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the file through which a task shows what happens while it waits.

The action plugin shows each line of the file. It touches a second file each time it looks, and removes both at its end.
"""

from __future__ import annotations

import contextlib
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ._progress import PROGRESS, SEEN, WIDTH, Progress
from ._text import clean, shortened

UNHEARD = 300
"""The module ends after so many seconds without a look: the playbook was killed, or its host is gone."""


def progress(module: AnsibleModule) -> Progress | None:
    """Return where to show what happens; None if the action plugin does not look."""
    path = os.environ.get(PROGRESS)
    if not path:
        return None
    began = time.time()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def write(line: str) -> None:
        line = clean(remove_values(line, module.no_log_values))
        # The task must not fail because of a line. A file that was removed is not created again.
        with contextlib.suppress(OSError), open(path, "r+", encoding="utf-8") as file:
            file.seek(0, os.SEEK_END)
            file.write(f"{shortened(line, WIDTH)}\n")

    def unheard() -> bool:
        if not os.path.exists(path):
            return True
        try:
            seen = os.stat(f"{path}{SEEN}").st_mtime
        except OSError:
            seen = began
        if time.time() - seen <= UNHEARD:
            return False
        for name in (path, f"{path}{SEEN}"):
            with contextlib.suppress(OSError):
                os.unlink(name)
        return True

    return Progress(write, unheard)
