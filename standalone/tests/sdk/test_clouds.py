"""Azure OpenAI and Vertex AI behind the gateway, asked by the vendors' own clients.

The simulators refuse what the clouds refuse: a key in the wrong header, a deployment without a version, a statement that
is not signed by the account it speaks of.
"""

import json
import subprocess

import anthropic
import openai
import pytest
from google import genai

from conftest import BIN, free_port, wait_for

SAID = [{"role": "user", "content": "Say héllo 🌍"}]


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    """Addresses of a simulated Azure and Vertex, and the key of the latter's service account."""
    scratch = tmp_path_factory.mktemp("clouds")
    processes, addresses = [], {}
    for dialect in ["azure", "vertex"]:
        port, log = free_port(), scratch / f"{dialect}.log"
        command = [BIN / "omniroute-demo-provider", "--listen", f"127.0.0.1:{port}", "--dialect", dialect]
        process = subprocess.Popen(command, stdout=log.open("w"), stderr=subprocess.STDOUT)
        processes.append(process)
        wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
        addresses[dialect] = f"http://127.0.0.1:{port}"
    printed = (scratch / "vertex.log").read_text()
    account = printed[printed.index("{") : printed.rindex("}") + 1]
    yield addresses, account
    for process in processes:
        process.kill()


@pytest.fixture(scope="module")
def ready(gateway, clouds):
    addresses, account = clouds
    call = gateway.management.call
    for api_type in ["chat", "responses", "deployments"]:
        prefix = f"azure-{api_type}"
        node = {"name": prefix, "prefix": prefix, "type": "azure-compatible", "apiType": api_type}
        node = call("POST", "/api/provider-nodes", node | {"baseUrl": f"{addresses['azure']}/openai/v1/"})["node"]
        call("POST", "/api/providers", {"provider": node["id"], "name": "main", "apiKey": "resource-key"})
    for provider in ["vertex", "vertex-anthropic"]:
        body = {"provider": provider, "name": "main", "apiKey": account}
        body["providerSpecificData"] = {"baseUrl": addresses["vertex"], "region": "europe-west4"}
        saved = call("POST", "/api/providers?wait=applied", body)["connection"]
        assert "PRIVATE" not in json.dumps(saved)
        assert call("POST", f"/api/providers/{saved['id']}/test")["valid"]
    return gateway


@pytest.fixture(scope="module")
def client(ready):
    return openai.OpenAI(base_url=f"{ready.base}/v1", api_key=ready.key, max_retries=0)


@pytest.mark.parametrize("api_type", ["chat", "responses", "deployments"])
def test_a_deployment_answers_whole_and_streamed(client, api_type):
    model = f"azure-{api_type}/my-gpt"
    whole = client.chat.completions.create(model=model, messages=SAID)
    assert "héllo 🌍" in whole.choices[0].message.content and whole.usage.total_tokens > 0
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=model, messages=SAID, stream=True, stream_options=options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("api_type", ["chat", "deployments"])
def test_what_a_deployment_does_beside_chat(client, api_type):
    vectors = client.embeddings.create(model=f"azure-{api_type}/vectors", input=["one", "two"])
    assert [len(datum.embedding) for datum in vectors.data] == [8, 8]
    images = client.images.generate(model=f"azure-{api_type}/pictures", prompt="a lighthouse")
    assert images.data[0].b64_json
    speech = client.audio.speech.create(model=f"azure-{api_type}/voice", input="one", voice="alloy")
    assert speech.read()
    heard = client.audio.transcriptions.create(model=f"azure-{api_type}/ears", file=("a.wav", b"RIFF" + bytes(2_000)))
    assert heard.text


def test_what_the_content_filter_stops_is_a_bad_request_with_its_code(client):
    offence = [{"role": "user", "content": "(violence)"}]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="azure-deployments/my-gpt", messages=offence)
    assert refused.value.code == "content_filter"
    assert client.chat.completions.create(model="azure-deployments/my-gpt", messages=SAID).choices


def test_a_deployment_that_is_not_there(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="azure-chat/missing", messages=SAID)


@pytest.mark.parametrize("model", ["vertex/gemini-2.5-flash", "vertex-anthropic/claude-sonnet-4-5@20250929"])
def test_models_of_vertex_answer_every_vendors_client(ready, client, model):
    whole = client.chat.completions.create(model=model, messages=SAID)
    assert "héllo 🌍" in whole.choices[0].message.content and whole.usage.total_tokens > 0

    messages = anthropic.Anthropic(base_url=ready.base, api_key=ready.key, max_retries=0).messages
    with messages.stream(model=model, max_tokens=500, messages=SAID) as stream:
        assert "héllo 🌍" in stream.get_final_text()
    assert messages.count_tokens(model=model, messages=SAID).input_tokens > 0

    options = genai.types.HttpOptions(base_url=ready.base)
    gemini = genai.Client(api_key=ready.key, http_options=options)
    assert "héllo 🌍" in gemini.models.generate_content(model=model, contents="Say héllo 🌍").text
