# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The data of the unit tests: rows of jobs and answers of NetBox, from real runs on a stack."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from proxbox_checks.record_answers import ANSWERS, JOBS
from proxbox_checks.record_syncs import SYNCS
from proxbox_checks.rig import Missing, Recording, Rig
from proxbox_stack.report import StackError, say

RECORDINGS: dict[str, Recording] = {
    **SYNCS,
    **{f"netbox/{name}": recording for name, recording in JOBS.items()},
    **{f"answers/{name}": recording for name, recording in ANSWERS.items()},
}


def record(rig: Rig, name: str, folder: Path) -> None:
    """Make one recording, and write it."""
    try:
        text = json.dumps(RECORDINGS[name](rig), indent=1)
    except Missing as exc:
        say(f"{name}: skipped, {exc}")
        return
    for key, secret in rig.facts.items():
        if "token" in key or "password" in key:
            text = text.replace(str(secret), "SECRET")
    # The tokens of web forms.
    text = re.sub(r"\b[A-Za-z0-9]{64}\b", "SECRET", text)
    # Do not show where this machine has its Python.
    text = re.sub(r"/[\w./-]*?(?=/lib/python3\.\d+/)", "/usr", text)
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    found = json.loads(text)
    status = found["status"]
    say(f"{name}: {status['value'] if isinstance(status, dict) else status}, {found.get('error') or 'no error'}")


def main(argv: list[str] | None = None) -> int:
    """Make the recordings. If one fails, print one sentence on stderr, and return the exit code 1."""
    parser = argparse.ArgumentParser(prog="tests/record", description=__doc__)
    parser.add_argument("--name", default="default", help="a stack that is up (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="where: one folder below it for each release")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(RECORDINGS), default=list(RECORDINGS))
    args = parser.parse_args(argv)
    try:
        rig = Rig(args.name)
        for name in args.only:
            record(rig, name, args.output / rig.facts["plugin_version"])
    except (StackError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0
