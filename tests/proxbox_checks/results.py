# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""What the steps found: their results, read from JUnit files where a tool writes them, and the table at the end."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

_LONG_REASON = re.compile(r'Skipping sanity test ".*?" on Python (\S+) because it ')


@dataclass
class Result:
    """What one step found."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """What was skipped, and why."""
    notes: list[str] = field(default_factory=list)
    """What else the summary should tell."""
    impossible: str = ""
    """Why this machine cannot run the step, where it cannot."""
    log: Path | None = None
    group: str = ""
    name: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether something passed and nothing failed: a step that found nothing to do has failed."""
        return (self.passed > 0 or bool(self.impossible)) and not self.failed

    @property
    def verdict(self) -> str:
        """One word for the summary."""
        return "skipped" if self.impossible else "ok" if self.ok else "FAILED"


def write(results: list[Result], path: Path) -> None:
    """Write results to a file, from which :func:`read` reads them."""
    path.write_text(json.dumps([asdict(result) for result in results], default=str), encoding="utf-8")


def read(path: Path) -> list[Result]:
    """Read what :func:`write` wrote."""
    found = [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    for result in found:
        result.log = Path(result.log) if result.log else None
    return found


def read_junit(folder: Path) -> Result:
    """Add up every JUnit file in ``folder``."""
    result = Result()
    for path in sorted(folder.glob("*.xml")):
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
        except ElementTree.ParseError as exc:
            result.failed.append(f"{path.name} was cut short ({exc})")
            continue
        for case in cases:
            # ansible-test names the sanity test itself; of a unit test the name alone says little.
            place = case.get("classname", "")
            name = case.get("name", path.stem) if place == "sanity" else f"{place}.{case.get('name')}"
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                result.failed.append(name)
            elif skip is None:
                result.passed += 1
            else:
                reason = (skip.text or "").strip() or skip.get("message") or "no reason given"
                result.skipped.append((name, _LONG_REASON.sub(r"Python \1 ", reason)))
    return result


def table(results: list[Result]) -> str:
    """The summary: a row for each step, then what failed and what was skipped."""
    width = max(len(result.name) for result in results)
    lines = [f"{'step':{width}}  result   passed  failed  skipped  seconds"]
    lines.append("-" * len(lines[0]))
    for result in results:
        lines.append(
            f"{result.name:{width}}  {result.verdict:7}  {result.passed:6}  {len(result.failed):6}  "
            f"{len(result.skipped):7}  {result.seconds:7.1f}"
        )
    lines += [f"note     {result.name}: {note}" for result in results for note in result.notes]
    lines += [f"skipped  {result.name}: {result.impossible}" for result in results if result.impossible]
    for result in results:
        reasons = defaultdict(list)
        for name, reason in result.skipped:
            reasons[reason].append(name)
        lines += [f"skipped  {result.name}: {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    for result in results:
        if not result.ok:
            lines += [f"FAILED   {result.name}: {failure}" for failure in result.failed or ["nothing ran"]]
            if result.log:
                lines.append(f"         its output is in {result.log}")
    bad = sum(not result.ok for result in results)
    lines.append(f"{bad} of {len(results)} steps failed." if bad else f"All {len(results)} steps passed.")
    return "\n".join(lines)
