"""The one process, restarted and stopped by the management API."""

import time

from conftest import Management, running


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
    with running(tmp_path) as (base, process, _):
        Management(base).call("POST", "/api/shutdown", {"drainTimeoutMs": 1000})
        assert process.wait(30) == 0
