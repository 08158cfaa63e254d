"""The official OpenAI client on /v1, against providers of both dialects."""

import json

import openai
import pytest

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="session")
def client(gateway):
    return openai.OpenAI(base_url=f"{gateway.base}/v1", api_key=gateway.key, max_retries=0)


def test_plain_answer_with_usage(client, model):
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Say héllo 🌍"}])
    assert "héllo 🌍" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_streamed_answer_says_the_same(client, model):
    messages = [{"role": "user", "content": "Say héllo 🌍"}]
    whole = client.chat.completions.create(model=model, messages=messages).choices[0].message.content
    chunks = list(
        client.chat.completions.create(
            model=model, messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage.completion_tokens > 0


def test_no_usage_chunk_unless_asked(client, model):
    chunks = list(client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}], stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tool_call_and_its_result(client, model, stream):
    messages = [{"role": "user", "content": "Please call the tool for Paris"}]
    call = ask_for_tool(client, model, messages, stream)
    assert call["name"] == "get_weather"
    assert isinstance(json.loads(call["arguments"]), dict)

    messages += [
        {
            "role": "assistant",
            "tool_calls": [{"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}],
        },
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny, 21 degrees"},
    ]
    final = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
    assert "sunny, 21 degrees" in final.choices[0].message.content


def ask_for_tool(client, model, messages, stream) -> dict:
    if not stream:
        reply = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
        assert reply.choices[0].finish_reason == "tool_calls"
        call = reply.choices[0].message.tool_calls[0]
        return {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
    call = {"id": "", "name": "", "arguments": ""}
    reasons = []
    for chunk in client.chat.completions.create(model=model, messages=messages, tools=[TOOL], stream=True):
        choice = chunk.choices[0]
        reasons += [choice.finish_reason] if choice.finish_reason else []
        for delta in choice.delta.tool_calls or []:
            call["id"] = delta.id or call["id"]
            call["name"] += delta.function.name or ""
            call["arguments"] += delta.function.arguments or ""
    assert reasons == ["tool_calls"]
    return call


def test_wrong_key_raises_the_clients_own_error(gateway):
    stranger = openai.OpenAI(base_url=f"{gateway.base}/v1", api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refusal:
        stranger.chat.completions.create(model="sim-openai/sim", messages=[{"role": "user", "content": "Hi"}])
    assert "API key" in refusal.value.message


def test_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "Hi"}])


def test_rate_limited_provider_is_a_rate_limit_error(client):
    with pytest.raises(openai.RateLimitError) as refusal:
        client.chat.completions.create(model="sim-openai/fail-429", messages=[{"role": "user", "content": "Hi"}])
    assert int(refusal.value.response.headers["retry-after"]) >= 1


def test_combo_answers_from_its_second_member(client):
    reply = client.chat.completions.with_raw_response.create(
        model="dead-then-alive", messages=[{"role": "user", "content": "Are you there?"}]
    )
    # one attempt when the broken member still cools down
    assert reply.headers["x-omniroute-attempts"] in ("1", "2")
    assert "Are you there?" in reply.parse().choices[0].message.content


def test_models_are_listed(client):
    names = {model.id for model in client.models.list()}
    assert "dead-then-alive" in names


def test_a_finished_request_is_in_the_log(client, requests_of):
    client.chat.completions.create(model="sim-openai/sim", messages=[{"role": "user", "content": "for the log"}])
    assert any(log["requestedModel"] == "sim-openai/sim" and log["status"] == 200 for log in requests_of(1))


def test_a_first_start_lists_the_demo_model(gateway):
    listed = openai.OpenAI(base_url=f"{gateway.base}/v1", api_key=gateway.key).models.list()
    assert "demo/demo" in [model.id for model in listed.data]
