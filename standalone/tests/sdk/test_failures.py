"""Every client raises its own exception for what goes wrong."""

import pytest

from cases import GREETING
from clients import CLIENTS, ask
from failures import UPSTREAM, endpoint, expected


def fails(client, base, key, model, stream=False):
    answer = ask(client, base, key, model, {**GREETING, "stream": stream})
    assert "error" in answer, f"an answer instead of an exception: {answer}"
    return answer


def check(client, failure, answer, status):
    assert expected(client, failure) in answer["error"], answer
    assert answer["status"] == status, answer


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_gateway_refuses(gateway, client, stream):
    table = [
        ("401", "sk-wrong", "sim-openai/sim"),
        ("403", gateway.narrow, "sim-anthropic/sim"),
        ("404", gateway.key, "no-such-model"),
    ]
    for failure, key, model in table:
        answer = fails(client, gateway.base, key, model, stream)
        check(client, failure, answer, int(failure))


@pytest.mark.parametrize("failure", [failure for failure in UPSTREAM if failure.isdigit()])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_provider_refuses(gateway, client, failure):
    model = f"{endpoint(client, failure)}/{UPSTREAM[failure][0]}"
    answer = fails(client, gateway.base, gateway.key, model)
    status = int(failure)
    if status in (503, 529):
        # overloaded is 529 to Anthropic's clients and 503 to all others
        status = 529 if "anthropic" in client else 503
    if status == 500 and client.endswith("ollama"):
        # to these it is the gateway that answers, and its provider that failed
        status = 502
    check(client, failure, answer, status)
    if failure == "429" and answer["retry_after"] is not None:
        assert 1 <= int(answer["retry_after"]) <= 7
    if failure == "429" and client not in ("python-ollama", "js-google"):
        assert answer["retry_after"] is not None, "the SDK shows headers"


@pytest.mark.parametrize("failure", ["cut", "end", "error"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_stream_that_dies_is_not_a_success(gateway, client, failure):
    model = f"{endpoint(client, failure)}/{UPSTREAM[failure][0]}"
    answer = fails(client, gateway.base, gateway.key, model, stream=True)
    assert expected(client, failure) in answer["error"], answer
