"""google-genai."""

import base64
import functools

from google import genai
from google.genai import types

from cases import parameters


@functools.cache
def connect(base: str, key: str) -> genai.Client:
    once = types.HttpRetryOptions(attempts=1)
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=base, retry_options=once, timeout=30_000))


def ask(base: str, key: str, model: str, question: dict) -> dict:
    client = connect(base, key)
    parts = [types.Part(text=question["text"])]
    if "image" in question:
        parts.append(types.Part.from_bytes(data=base64.b64decode(question["image"]), mime_type="image/png"))
    contents = [types.Content(role="user", parts=parts)]
    options = {"automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True)}
    if "system" in question:
        options["system_instruction"] = question["system"]
    if "tools" in question:
        declarations = [
            types.FunctionDeclaration(name=name, description=f"Does {name}", parameters_json_schema=parameters(name))
            for name in question["tools"]
        ]
        options["tools"] = [types.Tool(function_declarations=declarations)]
    if "schema" in question:
        options["response_mime_type"] = "application/json"
        options["response_json_schema"] = question["schema"]
    if question.get("think"):
        options["thinking_config"] = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)

    config = types.GenerateContentConfig(**options)
    said, answer = generate(client, model, contents, config, question)
    if answer["calls"] and "results" in question:
        contents.append(said)
        calls = [part.function_call for part in said.parts if part.function_call]
        results = []
        for call in calls:
            response = {"output": question["results"][call.name]}
            given = types.FunctionResponse(id=call.id, name=call.name, response=response)
            results.append(types.Part(function_response=given))
        contents.append(types.Content(role="user", parts=results))
        answer["then"] = generate(client, model, contents, config, question)[1]
    return answer


def generate(client, model, contents, config, question):
    """What was said, to be said again, and the answer."""
    ask = {"model": model, "contents": contents, "config": config}
    if question.get("stream"):
        chunks = list(client.models.generate_content_stream(**ask))
    else:
        chunks = [client.models.generate_content(**ask)]
    candidates = [chunk.candidates[0] for chunk in chunks if chunk.candidates]
    parts = [part for candidate in candidates for part in (candidate.content and candidate.content.parts) or []]
    usage = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata][-1]
    calls = [part.function_call for part in parts if part.function_call]
    reasons = [candidate.finish_reason.value for candidate in candidates if candidate.finish_reason]
    assert len(reasons) == 1, reasons
    answer = {
        "text": "".join(part.text for part in parts if part.text and not part.thought),
        "thought": "".join(part.text for part in parts if part.text and part.thought),
        "calls": [{"name": call.name, "arguments": call.args} for call in calls],
        "finish": reasons[0],
        "input": usage.prompt_token_count,
        "cached": usage.cached_content_token_count or 0,
        "output": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
    }
    return types.Content(role="model", parts=parts), answer
