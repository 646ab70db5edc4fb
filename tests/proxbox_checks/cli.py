# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The command line: test, bench, mutants, release, stage, demo, clean."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from proxbox_checks import results, returned, staging
from proxbox_checks.bench import bench
from proxbox_checks.demo import demo
from proxbox_checks.lanes import run_lanes
from proxbox_checks.mutants import mutants
from proxbox_checks.release import build_archive
from proxbox_checks.stack import TestStack
from proxbox_checks.steps import GROUPS, Choice, run_steps
from proxbox_checks.tools import Tools
from proxbox_stack import scratch
from proxbox_stack.report import StackError, say

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def main(argv: list[str] | None = None) -> int:
    """Run one command; an expected failure is one sentence on stderr and the exit code 1."""
    # Ended from outside, what this run has started is still taken down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except StackError as exc:
        print(f"error: {exc}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 1


def _test(args: argparse.Namespace) -> int:
    if args.target and not {"integration", "previous"} & set(args.only):
        raise StackError("--target names an integration target: it goes with --only integration or previous.")
    if args.only:
        choice = Choice(
            groups=args.only, targets=args.target, unsupported=args.unsupported, cleanup=not args.no_cleanup
        )
        with staging.lock(CHECKOUT):
            found = run_steps(CHECKOUT, choice)
    else:
        options = {"--unsupported": args.unsupported, "--no-cleanup": args.no_cleanup}
        found = run_lanes(CHECKOUT, [option for option, given in options.items() if given])
    if args.results:
        results.write(found, args.results)
    else:
        print("\n" + results.table(found), flush=True)
    return 0 if all(result.ok for result in found) else 1


def _stage(args: argparse.Namespace) -> int:
    with staging.lock(CHECKOUT):
        print(staging.stage(CHECKOUT))
    return 0


def _returned(args: argparse.Namespace) -> int:
    returned.write(CHECKOUT)
    return 0


def _demo(args: argparse.Namespace) -> int:
    with staging.lock(CHECKOUT):
        tools = Tools(CHECKOUT)
        staging.stage(CHECKOUT)
        demo(tools, TestStack(CHECKOUT, "demo"))
    return 0


def _bench(args: argparse.Namespace) -> int:
    if args.rounds < 1:
        raise StackError(f"--rounds {args.rounds} measures nothing: give 1 or more.")
    with staging.lock(CHECKOUT):
        tools = Tools(CHECKOUT)
        staging.stage(CHECKOUT)
        report = bench(tools, TestStack(CHECKOUT, "bench"), args.rounds)
    print(report, end="")
    if args.output:
        args.output.write_text(report, encoding="utf-8")
    return 0


def _release(args: argparse.Namespace) -> int:
    if args.home.startswith("https://example.com/"):
        raise StackError(f"{args.home} is reserved for examples: give the address of the project with --home.")
    with staging.lock(CHECKOUT):
        tools = Tools(CHECKOUT)
        staging.stage(CHECKOUT)
        print(build_archive(tools, args.home, CHECKOUT))
    return 0


def _mutants(args: argparse.Namespace) -> int:
    with staging.lock(CHECKOUT):
        tools = Tools(CHECKOUT)
        staging.stage(CHECKOUT)
        print(mutants(tools, args.file), end="")
    return 0


def _clean(args: argparse.Namespace) -> int:
    for program in ("host", "stack"):
        down = [sys.executable, str(CHECKOUT / "tests" / program), "down", "--all", "--purge"]
        if subprocess.run(down, check=False).returncode:
            raise StackError(f"a {program} could not be stopped, so nothing was removed: the lines above say why.")
    for name in ("hosts", "stacks", "stage", "venvs", "collections"):
        folder = scratch.home() / name
        if folder.exists():
            say(f"removing {folder}")
            shutil.rmtree(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/check", description="The checks of the collection proxbox.proxbox.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    test = command("test", _test, "run the tests, all of them by default, in two lanes side by side")
    test.add_argument(
        "--only", action="append", default=[], choices=GROUPS, help="just this group; may be given again, then in turn"
    )
    test.add_argument("--target", action="append", default=[], help="just this integration target; may be given again")
    test.add_argument(
        "--unsupported", action="store_true", help="also integration targets marked unsupported or destructive"
    )
    test.add_argument("--no-cleanup", action="store_true", help="leave the stack up that the integration tests started")
    test.add_argument("--results", type=Path, help="write the results to this file, as JSON, in place of the table")
    command("stage", _stage, "copy the collection to where ansible-test wants it, and print the path")
    command("returned", _returned, "write the shared parts of RETURN into the modules")
    command("demo", _demo, "a real NetBox with the collection at work in it")
    bench_ = command("bench", _bench, "what the modules cost: requests, bytes, and time beside other modules")
    bench_.add_argument("--rounds", type=int, default=10, help="how often each task is timed (default: %(default)s)")
    bench_.add_argument("--output", type=Path, help="write the table, which is Markdown, to this file too")
    release = command("release", _release, "build the archive of a release into the checkout")
    release.add_argument("--home", required=True, help="address of the project, which the archive names")
    mutants_ = command("mutants", _mutants, "which small changes of a file no unit test of the file notices")
    mutants_.add_argument(
        "file", nargs="*", help="a file of plugins/module_utils; without one, each that has such tests"
    )
    command("clean", _clean, "stop every host and stack and remove everything that was built in the scratch folder")
    return parser
