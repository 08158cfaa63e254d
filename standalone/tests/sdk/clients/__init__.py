"""The vendors' own clients behind one face: `ask(client, gateway, key, model, question)`."""

from . import anthropic_client, google_client, javascript, ollama_client, openai_chat, openai_responses

PYTHON = {
    "python-openai-chat": openai_chat,
    "python-openai-responses": openai_responses,
    "python-anthropic": anthropic_client,
    "python-google": google_client,
    "python-ollama": ollama_client,
}
CLIENTS = [*PYTHON, *javascript.CLIENTS]


def ask(client: str, base: str, key: str, model: str, question: dict) -> dict:
    if client in javascript.CLIENTS:
        return javascript.ask(client, base, key, model, question)
    try:
        return PYTHON[client].ask(base, key, model, question)
    except Exception as error:  # a failure is what many tests are about
        return failure(error)


def failure(error: Exception) -> dict:
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {
        "error": [kind.__name__ for kind in type(error).__mro__],
        "status": status if isinstance(status, int) else None,
        "retry_after": headers.get("retry-after"),
        "message": str(error),
    }
