"""What can go wrong, and the exception of each client for it.

An upstream that failed rests for a while, so each client has an endpoint of its own for every failure.
"""

from clients import CLIENTS

# failure: the model that fails so, the dialect of its provider
UPSTREAM = {
    "400": ("sim-fail-400", "openai"),
    "429": ("sim-fail-429-retry-7", "anthropic"),
    "500": ("sim-fail-500", "gemini"),
    "503": ("sim-fail-503", "openai-responses"),
    "529": ("sim-fail-529", "anthropic"),
    "cut": ("sim-cut-6", "openai"),
    "end": ("sim-end-6", "ollama"),
    "error": ("sim-error-6", "openai-responses"),
}


def endpoint(client: str, failure: str) -> str:
    return f"broken-{client}-{failure}"


BROKEN = {endpoint(client, failure): dialect for client in CLIENTS for failure, (_, dialect) in UPSTREAM.items()}

# of the OpenAI and Anthropic SDKs in both languages
STATUS_ERRORS = {
    "400": "BadRequestError",
    "401": "AuthenticationError",
    "403": "PermissionDeniedError",
    "404": "NotFoundError",
    "429": "RateLimitError",
    "500": "InternalServerError",
    "503": "InternalServerError",
    "529": "InternalServerError",
    "cut": "APIError",
    "end": "APIError",
    "error": "APIError",
}
GOOGLE_ERRORS = {failure: "ClientError" if failure.startswith("4") else "ServerError" for failure in STATUS_ERRORS}


def expected(client: str, failure: str) -> str:
    """The class whose instance is raised."""
    if client == "python-google":
        return GOOGLE_ERRORS[failure]
    if client == "js-google":
        return "ApiError"
    if client == "python-ollama":
        return "ResponseError"
    if client == "js-openai-responses" and failure == "error":
        return "Object"  # the SDK throws the event as it came
    if client.startswith("js-ai-"):
        return "AI_APICallError" if failure.isdigit() else "Error"
    return STATUS_ERRORS[failure]
