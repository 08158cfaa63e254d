"""Traces in a collector that others wrote: Rotel, as its package comes, behind OTLP over gRPC."""

import contextlib
import json
import pathlib
import re
import subprocess
import urllib.request

import pytest

from conftest import Management, add_endpoint, free_port, running

rotel = pytest.importorskip("rotel", reason="the collector has no package for this Python")

AGENT = pathlib.Path(rotel.__file__).parent / "rotel-agent"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@contextlib.contextmanager
def collecting(scratch: pathlib.Path):
    """A collector that writes down what it is sent: its address and what it wrote."""
    port, log = free_port(), scratch / "collector.log"
    process = subprocess.Popen(
        [AGENT, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{port}", "--otlp-http-endpoint", f"127.0.0.1:{free_port()}",
         "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed",
         "--pid-file", scratch / "collector.pid"],
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(20)


def spans(text: str) -> list[dict[str, str]]:
    """By the names the collector prints: those of a span, and those of its attributes."""
    found = []
    for span in re.split(r"^Span #\d+$", text, flags=re.MULTILINE)[1:]:
        fields = re.findall(r"^ +([A-Z][A-Za-z ]*?) *: *(.*)$", span, re.MULTILINE)
        attributes = re.findall(r"^ +-> ([\w.]+): \w+\((.*)\)$", span, re.MULTILINE)
        found.append(dict(fields + attributes))
    return found


def test_a_request_with_a_fallback_is_one_trace_from_the_caller_to_both_providers(simulators, tmp_path):
    with collecting(tmp_path) as (endpoint, log):
        environment = {"ALLOW_PRIVATE_PROVIDER_URLS": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        with running(tmp_path, **environment) as (base, _, _):
            management = Management(base)
            add_endpoint(management, "broken", "openai", simulators["openai"])
            add_endpoint(management, "sim", "anthropic", simulators["anthropic"])
            management.call("POST", "/api/combos", {"name": "smart", "models": ["broken/fail-503", "sim/sim"]})
            key = management.call("POST", "/api/keys?wait=applied", {"name": "traced"})["key"]
            body = {"model": "smart", "messages": [{"role": "user", "content": "hello"}]}
            headers = {"authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-{CALLER}-01"}
            request = urllib.request.Request(f"{base}/v1/chat/completions", json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                usage = json.load(answer)["usage"]
        # what is left is sent before the gateway ends
        text = log.read_text()

    traced = spans(text)
    assert [span["Trace ID"] for span in traced] == [TRACE] * 3, text
    (asked,) = [span for span in traced if span["Kind"] == "SPAN_KIND_SERVER"]
    failed, answered = [span for span in traced if span["Kind"] == "SPAN_KIND_CLIENT"]
    assert asked["Parent ID"] == CALLER
    assert [failed["Parent ID"], answered["Parent ID"]] == [asked["ID"]] * 2
    assert (failed["Status code"], failed["http.response.status_code"]) == ("STATUS_CODE_ERROR", "503")
    assert (answered["gen_ai.provider.name"], answered["http.response.status_code"]) == ("anthropic", "200")
    assert answered["gen_ai.usage.output_tokens"] == str(usage["completion_tokens"])
