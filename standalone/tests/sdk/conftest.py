"""The running gateway, for the vendors' own clients.

One `omniroute` process per session, with a fresh data directory, in front of a simulated provider of every dialect.
Nothing here is mocked.
"""

import contextlib
import http.cookiejar
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from failures import BROKEN

BIN = pathlib.Path(os.environ.get("OMNIROUTE_BIN_DIR", "target/debug"))
PASSWORD = "a-password-for-the-sdk-tests"
# what the planes must not inherit from the machine that runs the tests
UNSET = {"DATABASE_URL", "REDIS_URL", "PORT", "INITIAL_PASSWORD", "DATA_DIR"}
# the dialects a provider may speak: the type of its node, what else describes it, and where its API begins
UPSTREAMS = {
    "openai": ({"type": "openai-compatible", "apiType": "chat"}, "/v1"),
    "openai-responses": ({"type": "openai-compatible", "apiType": "responses"}, "/v1"),
    "anthropic": ({"type": "anthropic-compatible"}, "/v1"),
    "gemini": ({"type": "gemini-compatible"}, "/v1beta"),
    "ollama": ({"type": "ollama-compatible"}, ""),
}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, log: pathlib.Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"{process.args[0]} ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"{url} did not answer in {seconds} s:\n{log.read_text()[-4000:]}")


class Management:
    """A signed-in session on the management API."""

    def __init__(self, base: str):
        self.base = base
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.call("POST", "/api/auth/login", {"password": PASSWORD})

    def ask(self, path: str):
        """The answer to a GET, or none while nobody answers."""
        try:
            with self.opener.open(self.base + path, timeout=2) as answer:
                return json.loads(answer.read())
        except OSError:
            return None

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", "origin": self.base},
        )
        try:
            with self.opener.open(request, timeout=20) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as refusal:
            pytest.fail(f"{method} {path}: {refusal.code} {refusal.read().decode()}")


class Gateway:
    """Where it listens, and two keys for it: one for everything and one for one model."""

    def __init__(self, base: str, key: str, narrow: str, management: Management):
        self.base = base
        self.key = key
        self.narrow = narrow
        self.management = management


@pytest.fixture(scope="session")
def simulators(tmp_path_factory):
    """Addresses of the simulated providers, by dialect."""
    scratch = tmp_path_factory.mktemp("simulators")
    running = {}
    processes = []
    for dialect, (_, base) in UPSTREAMS.items():
        port = free_port()
        log = scratch / f"{dialect}.log"
        process = subprocess.Popen(
            [BIN / "omniroute-demo-provider", "--listen", f"127.0.0.1:{port}", "--dialect", dialect],
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        processes.append((process, port, log))
        running[dialect] = f"http://127.0.0.1:{port}{base}"
    for process, port, log in processes:
        wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
    yield running
    for process, _, _ in processes:
        process.kill()


@contextlib.contextmanager
def running(scratch: pathlib.Path, **environment: str):
    """An `omniroute` of its own, ready and with nothing configured: its address, process and log."""
    port = free_port()
    log = scratch / "omniroute.log"
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    process = subprocess.Popen(
        [BIN / "omniroute", "--data-dir", scratch / "data", "--listen", f"127.0.0.1:{port}"],
        env=inherited | {"INITIAL_PASSWORD": PASSWORD} | environment,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{base}/readyz", process, log)
        yield base, process, log
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(f"the gateway did not end after SIGTERM:\n{log.read_text()[-4000:]}")


def add_endpoint(management: Management, prefix: str, dialect: str, address: str) -> None:
    node = {"name": prefix, "prefix": prefix, "baseUrl": address, **UPSTREAMS[dialect][0]}
    node = management.call("POST", "/api/provider-nodes", node)["node"]
    management.call("POST", "/api/providers", {"provider": node["id"], "name": "main", "apiKey": "sk-upstream"})


@pytest.fixture(scope="session")
def gateway(simulators, tmp_path_factory):
    environment = {
        "ALLOW_PRIVATE_PROVIDER_URLS": "true",
        # one address asks for all tests
        "OMNIROUTE_CONTROLPLANE__API__RATE_LIMIT_PER_MINUTE": "0",
        # a machine that runs all suites at once is slow
        "SEMANTIC_CACHE_EMBEDDING_TIMEOUT_MS": "10000",
    }
    with running(tmp_path_factory.mktemp("gateway"), **environment) as (base, _, _):
        management = Management(base)
        for dialect, address in simulators.items():
            add_endpoint(management, f"sim-{dialect}", dialect, address)
        # endpoints of their own, so that their failures do not cool down the others' accounts
        add_endpoint(management, "sim-broken", "openai", simulators["openai"])
        for prefix, dialect in BROKEN.items():
            add_endpoint(management, prefix, dialect, simulators[dialect])
        members = ["sim-broken/fail-503", "sim-openai/sim"]
        management.call("POST", "/api/combos", {"name": "dead-then-alive", "models": members})
        narrow = management.call("POST", "/api/keys", {"name": "narrow", "allowedModels": ["sim-openai/sim"]})["key"]
        key = management.call("POST", "/api/keys?wait=applied", {"name": "sdk"})["key"]
        yield Gateway(base, key, narrow, management)


@pytest.fixture(params=["openai", "anthropic"])
def model(request) -> str:
    """The same test against both upstream dialects."""
    return f"sim-{request.param}/sim"


@pytest.fixture(scope="session")
def requests_of(gateway):
    """The accounted requests, newest first, once they have reached the database."""

    def read(count: int) -> list[dict]:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            logs = gateway.management.call("GET", "/api/usage/request-logs")
            if len(logs) >= count:
                return logs
            time.sleep(0.1)
        pytest.fail(f"{count} requests were expected in the log, {len(logs)} arrived")

    return read
