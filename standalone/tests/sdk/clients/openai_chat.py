"""openai, chat completions."""

import functools
import json

import openai

from cases import parameters


@functools.cache
def connect(base: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, timeout=30)


def ask(base: str, key: str, model: str, question: dict) -> dict:
    client = connect(base, key)
    content = question["text"]
    if "image" in question:
        url = f"data:image/png;base64,{question['image']}"
        content = [{"type": "text", "text": content}, {"type": "image_url", "image_url": {"url": url}}]
    messages = [{"role": "user", "content": content}]
    if "system" in question:
        messages.insert(0, {"role": "system", "content": question["system"]})
    options = {"model": model}
    if "tools" in question:
        options["tools"] = [tool(name) for name in question["tools"]]
    if "schema" in question:
        form = {"name": "place", "schema": question["schema"], "strict": True}
        options["response_format"] = {"type": "json_schema", "json_schema": form}
    if question.get("think"):
        options["reasoning_effort"] = "low"

    completion = complete(client, messages, options, question)
    answer = read(completion)
    if answer["calls"] and "results" in question:
        message = completion.choices[0].message
        messages.append(message.to_dict())
        for call in message.tool_calls:
            result = question["results"][call.function.name]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        answer["then"] = read(complete(client, messages, options, question))
    return answer


def tool(name: str) -> dict:
    function = {"name": name, "description": f"Does {name}", "parameters": parameters(name), "strict": True}
    return {"type": "function", "function": function}


def complete(client, messages, options, question):
    if not question.get("stream"):
        return client.chat.completions.create(messages=messages, **options)
    with client.chat.completions.stream(messages=messages, stream_options={"include_usage": True}, **options) as stream:
        return stream.get_final_completion()


def read(completion) -> dict:
    choice = completion.choices[0]
    usage = completion.usage
    calls = choice.message.tool_calls or []
    return {
        "text": choice.message.content or "",
        "thought": getattr(choice.message, "reasoning_content", None) or "",
        "calls": [{"name": call.function.name, "arguments": json.loads(call.function.arguments)} for call in calls],
        "finish": choice.finish_reason,
        "input": usage.prompt_tokens,
        "cached": usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0,
        "output": usage.completion_tokens,
    }
