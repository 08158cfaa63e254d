"""openai, responses."""

import json

import openai

from cases import parameters
from clients.openai_chat import connect


def ask(base: str, key: str, model: str, question: dict) -> dict:
    client = connect(base, key)
    content = question["text"]
    if "image" in question:
        url = f"data:image/png;base64,{question['image']}"
        content = [
            {"type": "input_text", "text": content},
            {"type": "input_image", "image_url": url, "detail": "auto"},
        ]
    items = [{"role": "user", "content": content}]
    options = {"model": model, "store": False}
    if "system" in question:
        options["instructions"] = question["system"]
    if "tools" in question:
        options["tools"] = [
            {"type": "function", "name": name, "description": "", "parameters": parameters(name), "strict": True}
            for name in question["tools"]
        ]
    if "schema" in question:
        form = {"type": "json_schema", "name": "place", "schema": question["schema"], "strict": True}
        options["text"] = {"format": form}
    if question.get("think"):
        options["reasoning"] = {"effort": "low", "summary": "auto"}
        options["include"] = ["reasoning.encrypted_content"]

    response = respond(client, items, options, question)
    answer = read(response)
    if answer["calls"] and "results" in question:
        items += response.output
        for call in response.output:
            if call.type == "function_call":
                result = question["results"][call.name]
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
        answer["then"] = read(respond(client, items, options, question))
    return answer


def respond(client, items, options, question):
    if not question.get("stream"):
        return client.responses.create(input=items, **options)
    with client.responses.stream(input=items, **options) as stream:
        for event in stream:
            # the SDK gives these to its caller, who is to look at them
            if event.type == "error":
                raise openai.APIError(event.message, request=None, body=event.to_dict())
            if event.type == "response.failed":
                raise openai.APIError(event.response.error.message, request=None, body=event.to_dict())
        return stream.get_final_response()


def read(response) -> dict:
    thoughts = [part.text for item in response.output if item.type == "reasoning" for part in item.summary]
    calls = [item for item in response.output if item.type == "function_call"]
    return {
        "text": response.output_text,
        "thought": "".join(thoughts),
        "calls": [{"name": call.name, "arguments": json.loads(call.arguments)} for call in calls],
        "finish": response.status,
        "input": response.usage.input_tokens,
        "cached": response.usage.input_tokens_details.cached_tokens,
        "output": response.usage.output_tokens,
    }
