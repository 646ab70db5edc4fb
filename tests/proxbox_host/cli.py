# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The command line: up, status, inventory, down."""

from __future__ import annotations

import argparse
import os
import sys

from proxbox_host import host
from proxbox_stack.report import StackError, say


def main(argv: list[str] | None = None) -> int:
    """Run one command. If it fails, print one sentence on stderr, and return the exit code 1."""
    args = _parser().parse_args(argv)
    # The user netbox must be able to enter the folders that are made here. Files with secrets get their own mode.
    os.umask(0o022)
    try:
        return args.run(args) or 0
    except (StackError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"interrupted; tests/host down --name {args.name} takes down what has started", file=sys.stderr)
    return 1


def _up(args: argparse.Namespace) -> None:
    one = host.Host(args.name)
    one.up(args.stack)
    say(f"the host {one.name} is up (down: tests/host down --name {one.name})")
    print(one.inventory)


def _status(args: argparse.Namespace) -> int:
    row = _existing(args.name).status()
    print(" ".join(f"{key} {value}" for key, value in row.items()))
    return 0 if row["state"] == "running" else 3


def _inventory(args: argparse.Namespace) -> None:
    print(_existing(args.name).inventory)


def _down(args: argparse.Namespace) -> None:
    for name in host.names() if args.all else [args.name]:
        one = host.Host(name)
        if one.exists:
            one.down(purge=args.purge)
            say(f"the host {name} is down")


def _existing(name: str) -> host.Host:
    one = host.Host(name)
    if not one.exists:
        raise StackError(f"there is no host {name}: bring it up with tests/host up --name {name} --stack STACK.")
    return one


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/host",
        description="A Debian with systemd and NetBox, only on this machine, for Ansible to deploy to.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--name", default="default", help="which host (default: %(default)s)")
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "build what is missing, boot, and print the path of the inventory")
    up.add_argument("--stack", default="default", help="whose PostgreSQL and Valkey it uses (default: %(default)s)")
    command("status", _status, "what it and its systemd do")
    command("inventory", _inventory, "the path of the inventory for Ansible")
    down = command("down", _down, "stop it; its disk stays")
    down.add_argument("--purge", action="store_true", help="remove its disk too, so that the next host is new")
    down.add_argument("--all", action="store_true", help="every host")
    return parser
