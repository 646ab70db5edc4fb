# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: its one exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OUT_OF_RANGE = "An option reaches before the year 1 or beyond the year 9999: check the times and the ages."
"""The sentence about a time that cannot be calculated with."""


class ProxboxError(Exception):
    """A failure, told in one sentence.

    ``str()`` is the sentence: what is wrong, where, and what to do. ``url``, ``method``, ``status`` (the HTTP status,
    or None when there was no answer) and ``detail`` (the server's own words) are None when no request was made.
    ``outcome_unknown`` is true where a request may have been carried out although no answer says so. ``changed`` is
    true where something was written before the failure, and the sentence says what.
    """

    def __init__(
        self,
        sentence: str,
        *,
        url: str | None = None,
        method: str | None = None,
        status: int | None = None,
        detail: str | None = None,
        outcome_unknown: bool = False,
        changed: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.url = url
        self.method = method
        self.status = status
        self.detail = detail
        self.outcome_unknown = outcome_unknown
        self.changed = changed

    @property
    def failure(self) -> dict[str, Any]:
        """The facts behind the sentence, for programs: the ``failure`` key of a failed task's result."""
        return {"url": self.url, "method": self.method, "status": self.status, "detail": self.detail}

    @property
    def transient(self) -> bool:
        """Whether NetBox did not answer, failed inside, or asks for fewer requests: it may be well again in a while."""
        return (self.method is not None and self.status is None) or self.status == 429 or (self.status or 0) >= 500

    def saying(self, sentence: str, *, changed: bool = False) -> ProxboxError:
        """The same failure, told in another sentence by a layer that knows more."""
        return ProxboxError(
            sentence,
            url=self.url,
            method=self.method,
            status=self.status,
            detail=self.detail,
            outcome_unknown=self.outcome_unknown,
            changed=self.changed or changed,
        )


@contextmanager
def needs(permission: str) -> Iterator[None]:
    """Name the permission of NetBox that a refused request in the ``with`` block needs."""
    try:
        yield
    except ProxboxError as exc:
        if exc.status != 403 or "permission" not in (exc.detail or "").lower():
            raise
        raise exc.saying(f"{exc} Grant it the permission {permission}.") from None
