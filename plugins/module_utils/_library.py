# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the Python libraries that it needs, and the error for a host that lacks them.

The other files import the libraries from here. Ansible must be able to import every file on a host without them.
"""

from __future__ import annotations

import gc
import re

__all__ = [
    "AllocationError",
    "ContentError",
    "HTTPAdapter",
    "HTTPError",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "NewConnectionError",
    "Request",
    "RequestError",
    "RequestException",
    "library_problem",
    "requests",
]

PYTHON_MINIMUM = (3, 11)
"""The oldest Python that has ``datetime.fromisoformat`` for all of ISO 8601."""

PYNETBOX_MINIMUM = "7.8.0"
"""The first pynetbox that sends both v1 and v2 tokens (NetBox 4.5+) as NetBox expects them."""

IMPORT_ERROR: str | None = None

# The libraries leave no garbage, and are needed until the process ends. A search for garbage in them, now and at the
# end, would take a tenth of the time of a short task.
gc.disable()
try:
    import pynetbox
    import requests
    from pynetbox.core.query import AllocationError, ContentError, Request, RequestError
    from requests.adapters import HTTPAdapter
    from requests.exceptions import RequestException
    from urllib3.connection import HTTPSConnection
    from urllib3.connectionpool import HTTPSConnectionPool
    from urllib3.exceptions import HTTPError, NewConnectionError
except ImportError as exc:
    IMPORT_ERROR = str(exc)
    # Placeholders, so that the other files can be imported and define their classes. Nothing uses them.
    globals().update(dict.fromkeys(["pynetbox", *__all__], object))
gc.freeze()
gc.enable()


def library_problem(python: str, version: str) -> str | None:
    """Return what is wrong with the libraries of an interpreter, in one sentence; None if nothing is.

    :param python: path of the interpreter.
    :param version: its version, for example ``3.13.1``.
    """
    if _numbers(version) < PYTHON_MINIMUM:
        return (
            f"This module needs Python {'.'.join(map(str, PYTHON_MINIMUM))} or newer, and {python} is {version}: set "
            "ansible_python_interpreter to a newer one on the host that runs the module."
        )
    install = f"Install it there: {python} -m pip install 'pynetbox>={PYNETBOX_MINIMUM}'"
    if IMPORT_ERROR:
        return (
            f"This module needs the Python library pynetbox {PYNETBOX_MINIMUM} or newer (and requests), and "
            f"{python} (Python {version}) cannot import it: {IMPORT_ERROR}. {install}"
        )
    found = getattr(pynetbox, "__version__", "0")
    if _numbers(found) < _numbers(PYNETBOX_MINIMUM):
        return (
            f"This module needs the Python library pynetbox {PYNETBOX_MINIMUM} or newer, and {python} "
            f"(Python {version}) has {found}. {install}"
        )
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
