# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows with unexpected data: they raise no exception, and a failed run with damaged data is not a success."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._explain import excerpt, explain, in_one_line, remarks
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._progress import Progress
from ansible_collections.proxbox.proxbox.tests.unit.conftest import RECORDED

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
FILES = [*RECORDED.glob("*/*.json"), *RECORDED.glob("*/netbox/*.json")]
ROWS = [path.read_text(encoding="utf-8") for path in sorted(FILES)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a row."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_row_raises_no_exception(data: st.DataObject) -> None:
    row = json.loads(data.draw(st.sampled_from(ROWS)))
    parts = {"data": row["data"], "log_entries": row["log_entries"]}
    for _damage in range(data.draw(st.integers(1, 3))):
        *path, key = data.draw(st.sampled_from(list(places(parts))))
        node: Any = parts
        for step in path:
            node = node[step]
        node[key] = data.draw(JSON)
    job = Job.from_row({**row, **{"log_entries": []}, **parts})
    for text in (explain(job), in_one_line(job), *remarks(job), *excerpt(job)):
        assert isinstance(text, str)
    json.dumps(job.result(include_log=True, include_data=True))
    Progress(lambda line: None).show(job, NOW)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_failed_run_with_damaged_data_is_not_a_success(data: st.DataObject) -> None:
    failed = [row for row in ROWS if Job.from_row(json.loads(row)).outcome.verdict in ("failed", "partial")]
    row = json.loads(data.draw(st.sampled_from(failed)))
    response = row["data"]["proxbox_sync"].get("response", {})
    # A later release may leave out these keys. The request of the sync is always there.
    for key in data.draw(st.sets(st.sampled_from(sorted(response)))) if response else ():
        if key != "local_phases" and key != "endpoint_runtimes":
            del response[key]
    row["log_entries"] = data.draw(st.sampled_from([None, [], row["log_entries"]]))
    assert Job.from_row(row).outcome.verdict != "succeeded"
