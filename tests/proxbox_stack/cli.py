# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The command line: up, status, env, down, shell, baseline, fail, heal, and start, stop, logs of one component."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys

from proxbox_stack import processes, stack
from proxbox_stack.pins import PAIRS
from proxbox_stack.proxy import DETAIL, Fault
from proxbox_stack.report import StackError, say


def main(argv: list[str] | None = None) -> int:
    """Run one command. If it fails, print one sentence on stderr, and return the exit code 1."""
    args = _parser().parse_args(argv)
    # PostgreSQL's own user must be able to enter the folders that are made here. Files with secrets get their own mode.
    os.umask(0o022)
    try:
        return args.run(args) or 0
    except StackError as exc:
        print(f"error: {exc}", file=sys.stderr)
    except OSError as exc:
        print(f"error: {exc}", file=sys.stderr)
    except KeyboardInterrupt:
        # A baseline takes its own stack down.
        hint = "" if args.run is _baseline else f"; tests/stack down --name {args.name} takes down what has started"
        print(f"interrupted{hint}", file=sys.stderr)
    return 1


def _up(args: argparse.Namespace) -> None:
    one = stack.Stack(args.name)
    one.up(args.pair)
    say(f"NetBox {one.pair.netbox} with netbox-proxbox {one.pair.plugin} is up")
    print(f"{one.url}  user admin, password {one.state['password']}  (down: tests/stack down --name {one.name})")


def _status(args: argparse.Namespace) -> int:
    one = _existing(args.name)
    rows = one.status()
    if args.json:
        print(json.dumps({"name": one.name, "url": one.url, "pair": one.state["pair"], "components": rows}, indent=1))
    else:
        print(f"{one.name}: NetBox {one.pair.netbox}, netbox-proxbox {one.pair.plugin}, {one.url}")
        for component, row in rows.items():
            print(
                f"  {component:9} {row['state']:8} pid {row['pid'] or '-'!s:8} port {row['port'] or '-'!s:6} "
                f"{row['log']}"
            )
            for fault in row.get("faults", []):
                print(f"    told to fail: {fault}")
    return 0 if all(row["state"] == "running" for row in rows.values()) else 3


def _env(args: argparse.Namespace) -> None:
    facts = _existing(args.name).environment()
    if args.format == "json":
        print(json.dumps(facts, indent=1))
    elif args.format == "yaml":
        print("---")
        for key, value in facts.items():
            print(f"{key}: {json.dumps(value)}")
    else:
        for key, value in facts.items():
            print(f"export {key.upper()}={shlex.quote('' if value is None else str(value))}")


def _down(args: argparse.Namespace) -> None:
    for name in stack.names() if args.all else [args.name]:
        one = stack.Stack(name)
        if one.exists:
            one.down(purge=args.purge)
            say(f"the stack {name} is down")


def _shell(args: argparse.Namespace) -> None:
    print(_existing(args.name).shell(sys.stdin.read()), end="")


def _fail(args: argparse.Namespace) -> None:
    harm = "hang" if args.hang else "cut" if args.cut else "status"
    _existing(args.name).fail(Fault(args.path, args.query, harm, args.status, args.detail))


def _heal(args: argparse.Namespace) -> None:
    _existing(args.name).heal()


def _timeout(args: argparse.Namespace) -> None:
    _existing(args.name).set_timeout(args.job, args.seconds)


def _kill(args: argparse.Namespace) -> None:
    _existing(args.name).kill(args.victim)


def _baseline(args: argparse.Namespace) -> None:
    name = f"baseline-{args.pair}"
    one = stack.Stack(name)
    try:
        one.make_baseline(args.pair, stack.BASELINES / PAIRS[args.pair].baseline)
    finally:
        one.down(purge=True)


def _logs(args: argparse.Namespace) -> None:
    print(processes.tail(_existing(args.name)._log(args.component), args.lines))


def _existing(name: str) -> stack.Stack:
    one = stack.Stack(name)
    if not one.exists:
        raise StackError(f"there is no stack {name}: bring it up with tests/stack up --name {name}.")
    return one


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/stack", description="A real NetBox with Proxbox, only on this machine."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--name", default="default", help="which stack (default: %(default)s)")
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "build what is missing, and start each component that does not run")
    up.add_argument(
        "--pair",
        choices=sorted(PAIRS),
        help="which NetBox and plugin (default: those of the existing stack, or current)",
    )
    command("status", _status, "each component, its process and port").add_argument("--json", action="store_true")
    env = command("env", _env, "address and tokens, for a shell or for ansible-test")
    env.add_argument("--format", choices=("shell", "json", "yaml"), default="shell")
    down = command("down", _down, "stop everything; the data stays")
    down.add_argument("--purge", action="store_true", help="remove the data too")
    down.add_argument("--all", action="store_true", help="every stack")
    command("shell", _shell, "run the Python on standard input inside NetBox")
    baseline = command(
        "baseline", _baseline, "migrate an empty database from scratch and save its dump; takes ten minutes"
    )
    baseline.add_argument("--pair", choices=sorted(PAIRS), default="current")
    for name, text in (
        ("start", "start one component"),
        ("stop", "stop one component"),
        ("restart", "stop one component and start it again"),
        ("pause", "pause one component"),
        ("resume", "resume a paused component"),
    ):
        sub = command(name, lambda args, name=name: getattr(_existing(args.name), name)(args.component), text)
        sub.add_argument("component", choices=stack.COMPONENTS)
    fail = command(
        "fail", _fail, "make requests of NetBox to the backend fail; the first fault that fits a request applies"
    )
    fail.add_argument("component", choices=("backend",))
    fail.add_argument("path", help="a text in the path of each request that fails")
    fail.add_argument(
        "--query", default="", help="a text that its query must also have, such as proxmox_endpoint_ids=2"
    )
    harm = fail.add_mutually_exclusive_group(required=True)
    harm.add_argument("--status", type=int, help="answer with this HTTP status")
    harm.add_argument("--hang", action="store_true", help="do not answer until the command heal")
    harm.add_argument(
        "--cut", action="store_true", help="end the answer in the middle, and a stream after its first chunk"
    )
    fail.add_argument("--detail", default=DETAIL, help="what the answer with a --status says (default: %(default)s)")
    heal = command("heal", _heal, "remove all faults")
    heal.add_argument("component", choices=("backend",))
    timeout = command("timeout", _timeout, "set the time limit of a job that has not started, in seconds")
    timeout.add_argument("job", type=int, help="the job's id in NetBox")
    timeout.add_argument("seconds", type=int)
    kill = command("kill", _kill, "kill the worker with all its processes, or only the process that executes a job")
    kill.add_argument("victim", choices=("worker", "workhorse"))
    logs = command("logs", _logs, "the end of one component's log")
    logs.add_argument("component", choices=stack.COMPONENTS)
    logs.add_argument("--lines", type=int, default=40)
    return parser
