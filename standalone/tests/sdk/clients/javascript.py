"""The clients in JavaScript: one Node process that is asked over its standard input, a line of JSON at a time."""

import atexit
import functools
import itertools
import json
import os
import pathlib
import subprocess

CLIENTS = [
    "js-openai-chat",
    "js-openai-responses",
    "js-anthropic",
    "js-google",
    "js-ai-openai-compatible",
    "js-ai-openai",
    "js-ai-anthropic",
    "js-ai-google",
]
NUMBERS = itertools.count()
SOURCE = pathlib.Path(__file__).parent.parent / "javascript"


@functools.cache
def node() -> subprocess.Popen:
    # the packages lie in a cache, where modules of this folder do not look for them by themselves
    packages = os.environ.get("OMNIROUTE_SDK_NODE", str(SOURCE))
    process = subprocess.Popen(
        ["node", f"{packages}/main.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "AI_SDK_LOG_WARNINGS": "false"},
    )
    atexit.register(process.kill)
    return process


def ask(client: str, base: str, key: str, model: str, question: dict) -> dict:
    process = node()
    number = next(NUMBERS)
    request = {"number": number, "client": client, "base": base, "key": key, "model": model, "question": question}
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    assert line, f"node ended with {process.poll()}"
    answer = json.loads(line)
    assert answer.pop("number") == number, "answers come in the order of the questions"
    return answer
