"""What every client is asked, in no client's words, and what its answer says in nobody's words either.

A question is a dict: `text`, and optionally `system`, `tools` (names), `results` (of the tools, by name, sent back in
a second round), `image` (base64 of a PNG), `think`, `schema`, `stream`. An answer is a dict: `text`, `calls`
(`name` and `arguments`), `finish`, `input`, `cached` and `output` (tokens), `thought`, and `then`, the answer of the
second round. A failure is a dict with `error` (the names of the exception's class and of those above it), `status`,
`retry_after` and `message`.
"""

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
RESULTS = {"get_weather": "sunny, 21 degrees", "get_time": "a quarter past noon"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Paris"]}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
SYSTEM = "You are brief, polite and never at a loss for words."

GREETING = {"text": "Say héllo 🌍"}
QUESTIONS = {
    "plain": GREETING,
    "system": {**GREETING, "system": SYSTEM},
    "image": {"text": "What is this?", "image": PIXEL},
    "tool": {"text": "Please call the tool for Paris", "tools": ["get_weather"], "results": RESULTS},
    "parallel": {
        "text": "Please call the tool and the tool for Paris",
        "tools": ["get_weather", "get_time"],
        "results": RESULTS,
    },
    "reasoning": {**GREETING, "think": True},
    "reasoning-tool": {
        "text": "Please call the tool for Paris",
        "tools": ["get_weather"],
        "results": RESULTS,
        "think": True,
    },
    "schema": {"text": "Where is it nice, as JSON?", "schema": SCHEMA},
    "cached": GREETING,
}


def parameters(_tool: str) -> dict:
    return {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Its name"}},
        "required": ["city"],
        "additionalProperties": False,
    }
