# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The root folder of every host: a Debian with NetBox, built once for each set of packages and requirements."""

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

_SUITE = "trixie"
# NetBox's installation needs gcc and the headers. An administrator becomes the user netbox by sudo.
_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-venv", "python3-dev", "gcc", "libc6-dev",
    "libpq-dev", "sudo", "procps",
)  # fmt: skip
_BUILD = Path(__file__).parent / "build.sh"


def ensure_base(pair: str) -> Path:
    """Return the root folder with the NetBox and the plugin of ``pair``. Build it if it is missing.

    No host writes to it.

    :raises StackError: with the last lines of the log, if the build fails.
    """
    requirements = PAIRS[pair].netbox_requirements
    constraints = (CONSTRAINTS / f"netbox-{pair}.txt").read_text()
    key = "\n".join([_SUITE, *_PACKAGES, *requirements, constraints, _BUILD.read_text()])
    folder = scratch.subfolder("hosts", ".bases", f"{pair}-{hashlib.sha256(key.encode()).hexdigest()[:12]}")
    complete = folder / "complete"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            say(f"building the host's Debian {_SUITE} with {' and '.join(requirements[:2])}, some two minutes")
            _build(folder, requirements, constraints)
            complete.touch()
    return folder / "root"


def _build(folder: Path, requirements: list[str], constraints: str) -> None:
    root, source, log = folder / "root", folder / "input", folder / "build.log"
    for leftover in (root, source):
        shutil.rmtree(leftover, ignore_errors=True)
    # The address of a package index may hold a password.
    source.mkdir(mode=0o700)
    shutil.copy(_BUILD, source)
    (source / "constraints.txt").write_text(constraints)
    _write_pip_configuration(source)
    # The build mounts in its own namespace, so that no mount stays if it is interrupted.
    command = [
        "unshare", "--mount", "--propagation", "private",
        "mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(_PACKAGES)}",
        f"--keyring={machine.KEYRING}", f"--customize-hook=copy-in {shlex.quote(str(source))} /tmp",
        f'--customize-hook=chroot "$1" sh /tmp/input/build.sh {shlex.join(requirements)}',
        _SUITE, str(root), machine.debian_mirror(),
    ]  # fmt: skip
    # These variables name files that do not exist inside, and would take precedence over pip.conf.
    foreign = ("PIP_", "PYTHON", "SSL_CERT_", "REQUESTS_", "CURL_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    try:
        code = _run(command, env, log)
    finally:
        shutil.rmtree(source)
    if code:
        raise StackError(f"the host's Debian could not be built. The end of {log}:\n{processes.tail(log)}")


def _run(command: list[str], env: dict[str, str], log: Path) -> int:
    """Run a command, show a few lines of its progress, and return its exit code.

    If this is interrupted, the command and its children end.
    """
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
    """Write the settings of this machine's pip for the pip inside. The certificate is copied to where it finds it."""
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
