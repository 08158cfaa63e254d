"""anthropic."""

import functools

import anthropic

from cases import parameters


@functools.cache
def connect(base: str, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=30)


def ask(base: str, key: str, model: str, question: dict) -> dict:
    client = connect(base, key)
    content = [{"type": "text", "text": question["text"]}]
    if "image" in question:
        source = {"type": "base64", "media_type": "image/png", "data": question["image"]}
        content.append({"type": "image", "source": source})
    messages = [{"role": "user", "content": content}]
    options = {"model": model, "max_tokens": 4000}
    if "system" in question:
        options["system"] = question["system"]
    if "tools" in question:
        options["tools"] = [
            {"name": name, "description": f"Does {name}", "input_schema": parameters(name)}
            for name in question["tools"]
        ]
    if "schema" in question:
        options["output_config"] = {"format": {"type": "json_schema", "schema": question["schema"]}}
    if question.get("think"):
        options["thinking"] = {"type": "enabled", "budget_tokens": 1024}

    message = send(client, messages, options, question)
    answer = read(message)
    if answer["calls"] and "results" in question:
        messages.append({"role": "assistant", "content": message.content})
        calls = [block for block in message.content if block.type == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": question["results"][call.name]}
            for call in calls
        ]
        messages.append({"role": "user", "content": results})
        answer["then"] = read(send(client, messages, options, question))
    return answer


def send(client, messages, options, question):
    if not question.get("stream"):
        return client.messages.create(messages=messages, **options)
    with client.messages.stream(messages=messages, **options) as stream:
        return stream.get_final_message()


def read(message) -> dict:
    of = lambda kind: [block for block in message.content if block.type == kind]
    cached = message.usage.cache_read_input_tokens or 0
    return {
        "text": "".join(block.text for block in of("text")),
        "thought": "".join(block.thinking for block in of("thinking")),
        "calls": [{"name": block.name, "arguments": block.input} for block in of("tool_use")],
        "finish": message.stop_reason,
        "input": message.usage.input_tokens + cached,
        "cached": cached,
        "output": message.usage.output_tokens,
    }
