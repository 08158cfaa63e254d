"""The one process, restarted and stopped by the management API."""

import json
import os
import socket
import subprocess
import time
import urllib.parse

from conftest import BIN, UNSET, Management, add_endpoint, running


def until(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {seconds} s")


def test_a_restart_makes_a_new_process_of_the_same_and_loses_nothing(tmp_path):
    with running(tmp_path) as (base, process, log):
        management = Management(base)
        management.call("POST", "/api/models/alias", {"alias": "kept", "model": "demo/demo"})
        begun = management.call("POST", "/api/restart", {"drainTimeoutMs": 5000})
        assert begun["targets"] == ["control-plane"]

        starts = "/api/compliance/audit-log?action=system.start"
        until("a second start", lambda: len(management.ask(starts) or []) == 2 or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        # the session outlives the process, and so does the configuration
        assert management.call("GET", "/api/models/alias")["aliases"]["kept"] == "demo/demo"
        followed = management.call("GET", f"/api/operations/{begun['operationId']}")
        assert followed["state"] == "done"


def test_a_shutdown_ends_the_process_in_order(tmp_path):
    with running(tmp_path) as (base, process, log):
        Management(base).call("POST", "/api/shutdown", {"drainTimeoutMs": 1000})
        assert process.wait(30) == 0, log.read_text()


def test_a_new_storage_key_opens_what_the_old_one_sealed(simulators, tmp_path):
    environment = {"ALLOW_PRIVATE_PROVIDER_URLS": "true"}
    secrets = tmp_path / "data" / "secrets.json"
    with running(tmp_path, **environment) as (base, _, _):
        add_endpoint(Management(base), "sim", "openai", simulators["openai"])
    before = json.loads(secrets.read_text())
    command = [BIN / "omniroute", "--data-dir", tmp_path / "data", "rotate-storage-key"]
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    rotated = subprocess.run(command, env=inherited, capture_output=True, text=True, timeout=60)
    assert rotated.returncode == 0, rotated.stderr
    # its own and that of the demo provider
    assert rotated.stdout.startswith("2 credentials are sealed"), rotated.stdout
    after = json.loads(secrets.read_text())
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"STORAGE_ENCRYPTION_KEY"}
    assert secrets.stat().st_mode & 0o077 == 0
    with running(tmp_path, **environment) as (base, _, log):
        management = Management(base)
        tested = [
            management.call("POST", f"/api/providers/{connection['id']}/test", {})["valid"]
            for connection in management.call("GET", "/api/providers")["connections"]
        ]
        assert tested == [True, True], log.read_text()


def test_callers_who_hang_up_do_not_take_the_database_with_them(tmp_path):
    unlimited = {"OMNIROUTE_CONTROLPLANE__API__RATE_LIMIT_PER_MINUTE": "0"}
    with running(tmp_path, **unlimited) as (base, _, log):
        management = Management(base)
        address = urllib.parse.urlsplit(base)
        session = "; ".join(f"{cookie.name}={cookie.value}" for cookie in management.cookies)
        for nth in range(400):
            with socket.create_connection((address.hostname, address.port)) as caller:
                head = f"GET /api/providers HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {session}\r\n\r\n"
                caller.sendall(head.encode())
                # at every point of the way, whatever the speed of this machine
                caller.settimeout(nth % 40 / 10_000 + 0.0001)
                try:
                    caller.recv(1)
                except TimeoutError:
                    pass
        assert management.call("GET", "/api/providers")["connections"], log.read_text()
