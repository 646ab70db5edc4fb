# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""NetBox itself: its folder, its configuration, its management commands."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
from pathlib import Path

from proxbox_stack import scratch
from proxbox_stack.processes import clean_environment
from proxbox_stack.report import StackError

_CONFIGURATION = """\
ALLOWED_HOSTS = ["*"]
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.postgresql", "NAME": "netbox", "USER": "netbox", "HOST": {socket!r},
        "CONN_MAX_AGE": 300, "CONN_HEALTH_CHECKS": True,
    }},
}}
REDIS = {{
    "tasks": {{"HOST": "127.0.0.1", "PORT": {valkey}, "DATABASE": 0}},
    "caching": {{"HOST": "127.0.0.1", "PORT": {valkey}, "DATABASE": 1}},
}}
SECRET_KEY = {secret!r}
API_TOKEN_PEPPERS = {{1: {pepper!r}}}
HOSTNAME = "netbox"
PLUGINS = ["netbox_proxbox"]
# Nothing leaves this machine.
CENSUS_REPORTING_ENABLED = False
ISOLATED_DEPLOYMENT = True
RELEASE_CHECK_URL = None
"""

_WSGI = """\
\"\"\"NetBox with its static files, which a web server in front of it would serve.\"\"\"
from django.conf import settings
from netbox.wsgi import application as netbox
from whitenoise import WhiteNoise

application = WhiteNoise(netbox, root=settings.STATIC_ROOT, prefix="static/")
"""


class NetBox:
    """A NetBox installed from PyPI, with ``root`` as its ``NETBOX_ROOT``."""

    def __init__(self, root: Path, venv: Path) -> None:
        self.root = root
        self.venv = venv
        self._static = venv / "static"
        self.env = {
            "NETBOX_ROOT": str(root),
            "PYTHONPATH": str(root / "conf"),
            "DJANGO_SETTINGS_MODULE": "netbox.settings",
        }

    def configure(self, *, socket: Path, valkey_port: int) -> None:
        """Write the configuration if there is none. Secrets stay as they were."""
        conf = self.root / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        for folder in ("media", "reports", "scripts"):
            (self.root / folder).mkdir(exist_ok=True)
        if not (self.root / "static").exists():
            self._static.mkdir(exist_ok=True)
            (self.root / "static").symlink_to(self._static)
        configuration = conf / "configuration.py"
        if not configuration.exists():
            configuration.touch(mode=0o600)
            configuration.write_text(
                _CONFIGURATION.format(
                    socket=str(socket),
                    valkey=valkey_port,
                    secret=secrets.token_urlsafe(48),
                    pepper=secrets.token_urlsafe(48),
                )
            )
        (conf / "stack_wsgi.py").write_text(_WSGI)

    def command(self, *args: str) -> list[str]:
        """The command line of a management command."""
        return [str(self.venv / "bin" / "netbox"), *args]

    def manage(self, *args: str, stdin: str | None = None) -> str:
        """Run a management command to its end and return what it prints.

        :raises StackError: with the end of its output, if it fails.
        """
        done = self._run(args, stdin)
        if done.returncode:
            raise StackError(f"netbox {' '.join(args)} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
        return done.stdout

    def collect_static(self) -> None:
        """Collect the static files once for all stacks with the same environment: they do not depend on the stack."""
        complete = self._static / ".complete"
        with scratch.lock("static"):
            if not complete.exists():
                self.manage("collectstatic", "--no-input")
                complete.touch()

    def fits(self, baseline: Path) -> bool:
        """Return whether the database, restored from ``baseline``, needs no more migrations (``migrate --check``).

        A baseline that has fitted this environment is not checked again.
        """
        known = self.venv / f".fits-{hashlib.sha256(baseline.read_bytes()).hexdigest()[:12]}"
        if not known.exists():
            if self._run(("migrate", "--check"), None).returncode:
                return False
            known.touch()
        return True

    def _run(self, args: tuple[str, ...], stdin: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*args),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(self.env),
            cwd=str(self.root),
        )
