# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The root of every host: a Debian with NetBox in it, built once for each set of what it is made of."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from proxbox_host import machine
from proxbox_stack import processes, scratch
from proxbox_stack.pins import PAIRS
from proxbox_stack.pythons import find_python
from proxbox_stack.report import StackError, say
from proxbox_stack.venvs import CONSTRAINTS

RELEASES = ("trixie", "bookworm")
"""The releases of Debian that a host can be, the usual one first."""
# gcc and the headers are what NetBox's installation needs; sudo is how an administrator becomes the user netbox.
_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-venv", "python3-dev", "gcc", "libc6-dev",
    "libpq-dev", "sudo", "procps",
)  # fmt: skip
# NetBox needs Python 3.12 or newer. Debian 12 has 3.11, so the host compiles the Python of Debian 13 beside it.
_PACKAGES_FOR_PYTHON = ("make", "xz-utils", "libssl-dev", "zlib1g-dev", "libffi-dev", "libbz2-dev", "liblzma-dev")
_BUILD = Path(__file__).parent / "build.sh"


def ensure_base(pair: str, release: str) -> Path:
    """The root folder of a Debian ``release`` with the NetBox and the plugin of ``pair``, built when it is not there.

    No host writes to it.

    :raises StackError: the last lines of the log, when the build fails.
    """
    requirements = PAIRS[pair].netbox_requirements
    constraints = (CONSTRAINTS / f"netbox-{pair}.txt").read_text()
    packages = _PACKAGES if release != "bookworm" else (*_PACKAGES, *_PACKAGES_FOR_PYTHON)
    key = "\n".join([release, *packages, *requirements, constraints, _BUILD.read_text()])
    folder = scratch.subfolder("hosts", ".bases", f"{pair}-{hashlib.sha256(key.encode()).hexdigest()[:12]}")
    complete = folder / "complete"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            say(f"building the host's Debian {release} with {' and '.join(requirements[:2])}, some minutes")
            _build(folder, release, packages, requirements, constraints)
            complete.touch()
    return folder / "root"


def _build(folder: Path, release: str, packages: tuple[str, ...], requirements: list[str], constraints: str) -> None:
    root, source, log = folder / "root", folder / "input", folder / "build.log"
    for leftover in (root, source):
        shutil.rmtree(leftover, ignore_errors=True)
    # The address of a package index may hold a password.
    source.mkdir(mode=0o700)
    shutil.copy(_BUILD, source)
    (source / "constraints.txt").write_text(constraints)
    _write_pip_configuration(source)
    mirrors = [machine.debian_mirror()]
    if release == "bookworm":
        mirrors.append(f"deb-src {mirrors[0]} trixie main")
    # What is mounted while it runs is so in a namespace of its own: nothing of it stays when it is interrupted.
    command = [
        "unshare", "--mount", "--propagation", "private",
        "mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
        f"--keyring={machine.KEYRING}", f"--customize-hook=copy-in {shlex.quote(str(source))} /tmp",
        f'--customize-hook=chroot "$1" sh /tmp/input/build.sh {shlex.join(requirements)}',
        release, str(root), *mirrors,
    ]  # fmt: skip
    # They name files that are not inside, and would go before pip.conf.
    foreign = ("PIP_", "PYTHON", "SSL_CERT_", "REQUESTS_", "CURL_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    try:
        code = _run(command, env, log)
    finally:
        shutil.rmtree(source)
    if code:
        raise StackError(f"the host's Debian could not be built. The end of {log}:\n{processes.tail(log)}")


def _run(command: list[str], env: dict[str, str], log: Path) -> int:
    """Run to the end, and show a line now and then; what it has started ends with it when this is interrupted."""
    with (
        open(log, "w") as kept,
        subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            for line in process.stdout:
                kept.write(line)
                if line.lstrip().startswith(("I: installing", "Building", "Installing collected")):
                    say(f"host: {line.strip()[:100]}")
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
    return process.returncode


def _write_pip_configuration(source: Path) -> None:
    """The pip inside finds its packages where this machine's does; what is a file here is none there."""
    command = [str(find_python()), "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    options = {}
    for line in done.stdout.splitlines():
        name, _equals, value = line.partition("=")
        options[name.rpartition(".")[2]] = ast.literal_eval(value)
    certificate = options.get("cert")
    if certificate:
        shutil.copy(certificate, source / "certificate.pem")
        options["cert"] = "/tmp/input/certificate.pem"
    kept = ("index-url", "extra-index-url", "trusted-host", "proxy", "cert", "timeout", "default-timeout")
    lines = [f"{name} = {' '.join(options[name].split())}\n" for name in kept if name in options]
    (source / "pip.conf").write_text("[global]\n" + "".join(lines))
