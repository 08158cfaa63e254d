"""ollama."""

import functools

import ollama

from cases import parameters


@functools.cache
def connect(base: str, key: str) -> ollama.Client:
    return ollama.Client(host=base, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def ask(base: str, key: str, model: str, question: dict) -> dict:
    client = connect(base, key)
    message = {"role": "user", "content": question["text"]}
    if "image" in question:
        message["images"] = [question["image"]]
    messages = [message]
    if "system" in question:
        messages.insert(0, {"role": "system", "content": question["system"]})
    options = {"model": model}
    if "tools" in question:
        options["tools"] = [
            {"type": "function", "function": {"name": name, "description": "", "parameters": parameters(name)}}
            for name in question["tools"]
        ]
    if "schema" in question:
        options["format"] = question["schema"]
    if question.get("think"):
        options["think"] = True

    said, answer = chat(client, messages, options, question)
    if answer["calls"] and "results" in question:
        messages.append(said)
        for call in said["tool_calls"]:
            name = call.function.name
            messages.append({"role": "tool", "tool_name": name, "content": question["results"][name]})
        answer["then"] = chat(client, messages, options, question)[1]
    return answer


def chat(client, messages, options, question):
    """What was said, to be said again, and the answer."""
    if question.get("stream"):
        lines = list(client.chat(messages=messages, stream=True, **options))
    else:
        lines = [client.chat(messages=messages, stream=False, **options)]
    calls = [call for line in lines for call in line.message.tool_calls or []]
    text = "".join(line.message.content or "" for line in lines)
    thought = "".join(line.message.thinking or "" for line in lines)
    last = lines[-1]
    assert last.done and not any(line.done for line in lines[:-1])
    said = {"role": "assistant", "content": text, "thinking": thought or None, "tool_calls": calls}
    answer = {
        "text": text,
        "thought": thought,
        "calls": [{"name": call.function.name, "arguments": dict(call.function.arguments)} for call in calls],
        "finish": last.done_reason,
        "input": last.prompt_eval_count,
        "cached": None,
        "output": last.eval_count,
    }
    return said, answer
