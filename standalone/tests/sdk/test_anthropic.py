"""The official Anthropic client on /v1/messages, against providers of both dialects."""

import anthropic
import pytest

TOOL = {
    "name": "get_weather",
    "description": "Current weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="session")
def client(gateway):
    return anthropic.Anthropic(base_url=gateway.base, api_key=gateway.key, max_retries=0)


def test_plain_answer_with_usage(client, model):
    reply = client.messages.create(model=model, max_tokens=200, messages=[{"role": "user", "content": "Say héllo 🌍"}])
    assert "héllo 🌍" in reply.content[0].text
    assert reply.stop_reason == "end_turn"
    assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0


def test_streamed_answer_says_the_same(client, model):
    ask = {"model": model, "max_tokens": 200, "system": "Be brief.", "messages": [{"role": "user", "content": "Say héllo 🌍"}]}
    whole = client.messages.create(**ask)
    with client.messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == whole.usage.output_tokens


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tool_call_and_its_result(client, model, stream):
    messages = [{"role": "user", "content": "Please call the tool for Paris"}]
    ask = {"model": model, "max_tokens": 500, "tools": [TOOL]}
    if stream:
        with client.messages.stream(messages=messages, **ask) as events:
            reply = events.get_final_message()
    else:
        reply = client.messages.create(messages=messages, **ask)
    assert reply.stop_reason == "tool_use"
    call = next(block for block in reply.content if block.type == "tool_use")
    assert call.name == "get_weather" and isinstance(call.input, dict)

    messages += [
        {"role": "assistant", "content": [block.to_dict() for block in reply.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21 degrees"}]},
    ]
    final = client.messages.create(messages=messages, **ask)
    assert "sunny, 21 degrees" in final.content[0].text


def test_wrong_key_raises_the_clients_own_error(gateway):
    stranger = anthropic.Anthropic(base_url=gateway.base, api_key="sk-wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError):
        stranger.messages.create(model="sim-openai/sim", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])


def test_unknown_model_is_not_found(client):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="no-such-model", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])


def test_rate_limited_provider_is_a_rate_limit_error(client):
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(model="sim-anthropic/fail-429", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])


def test_combo_answers_from_its_second_member(client):
    reply = client.messages.create(model="dead-then-alive", max_tokens=200, messages=[{"role": "user", "content": "Are you there?"}])
    assert "Are you there?" in reply.content[0].text
