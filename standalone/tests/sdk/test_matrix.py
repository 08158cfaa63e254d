"""Every client against a provider of every dialect."""

import json

import pytest

from cases import QUESTIONS, RESULTS, SYSTEM
from clients import CLIENTS, ask
from conftest import UPSTREAMS

SAID = {"chat": "stop", "responses": "completed", "anthropic": "end_turn", "google": "STOP", "ollama": "stop"}
CALLED = {**SAID, "chat": "tool_calls", "anthropic": "tool_use", "ai": "tool-calls"}
# the vendor's API has no word for what came from a cache
NO_CACHE = {"ollama"}
# the provider's API does not tell thoughts at all, or to a client only whose dialect can ask to see them
NO_THOUGHTS = {"openai"}
ONLY_EFFORT = {"python-openai-chat", "js-openai-chat", "js-ai-openai-compatible"}
# models by whose names it is known that they think, and that the newest of Google's want their signatures back
THINKERS = {"gemini": "gemini-3-sim", "openai-responses": "gpt-5-sim"}


def finish(client: str, table: dict) -> str:
    """The vendor's word for an end. The Vercel SDK has its own."""
    if client.startswith("js-ai-"):
        return table.get("ai", "stop")
    return table[client.rsplit("-", 1)[1]]


def model_of(upstream: str, case: str) -> str:
    if case == "cached":
        return f"sim-{upstream}/sim-cached"
    name = THINKERS.get(upstream, "sim") if case.startswith("reasoning") else "sim"
    return f"sim-{upstream}/{name}"


@pytest.fixture(scope="session")
def told(gateway):
    """The answers so far: what is asked twice is asked once."""
    answers = {}

    def tell(client: str, upstream: str, case: str, stream: bool) -> dict:
        place = (client, upstream, case, stream)
        if place not in answers:
            question = {**QUESTIONS[case], "stream": stream}
            answers[place] = ask(client, gateway.base, gateway.key, model_of(upstream, case), question)
        answer = answers[place]
        assert "error" not in answer, f"{answer['error'][0]} {answer['status']}: {answer['message']}"
        return answer

    return tell


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", QUESTIONS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("client", CLIENTS)
def test_client_and_upstream(told, client, upstream, case, stream):
    answer = told(client, upstream, case, stream)
    CHECKS[case](answer, client, upstream)
    if stream:
        whole = told(client, upstream, case, False)
        assert {**answer, "then": None} == {**whole, "then": None}, "a stream says what a whole answer says"
    if case == "system":
        plain = told(client, upstream, "plain", stream)
        assert answer["input"] - plain["input"] >= len(SYSTEM.split()), "the system prompt has reached the provider"


def check_plain(answer, client, _upstream):
    assert "héllo 🌍" in answer["text"]
    assert answer["finish"] == finish(client, SAID)
    assert answer["input"] > 0 and answer["output"] > 0
    assert not answer["thought"] and not answer["calls"]


def check_image(answer, _client, _upstream):
    assert "[image]" in answer["text"], "the provider has seen an image"


def check_tools(answer, client, _upstream, names=("get_weather",)):
    assert answer["calls"] == [{"name": name, "arguments": {"city": "Paris"}} for name in names]
    assert answer["finish"] == finish(client, CALLED)
    told = answer["then"]["text"]
    assert told.startswith("The tool answered: ")
    # in the order of the calls; one client wraps each result into an object
    places = [told.find(RESULTS[name]) for name in names]
    assert -1 not in places and places == sorted(places), told


def check_parallel(answer, client, upstream):
    check_tools(answer, client, upstream, ("get_weather", "get_time"))


def check_thought(answer, client, upstream):
    unasked = upstream == "openai-responses" and client in ONLY_EFFORT
    if upstream not in NO_THOUGHTS and not unasked:
        assert answer["thought"].startswith("The user wrote")


def check_reasoning(answer, client, upstream):
    check_plain({**answer, "thought": ""}, client, upstream)
    check_thought(answer, client, upstream)


def check_reasoning_tool(answer, client, upstream):
    check_tools(answer, client, upstream)
    check_thought(answer, client, upstream)


def check_schema(answer, _client, _upstream):
    assert json.loads(answer["text"]) == {"city": "Paris", "days": 1}


def check_cached(answer, client, upstream):
    if upstream not in NO_CACHE and client != "python-ollama":
        assert answer["cached"] == answer["input"] // 2


CHECKS = {
    "plain": check_plain,
    "system": check_plain,
    "image": check_image,
    "tool": check_tools,
    "parallel": check_parallel,
    "reasoning": check_reasoning,
    "reasoning-tool": check_reasoning_tool,
    "schema": check_schema,
    "cached": check_cached,
}
