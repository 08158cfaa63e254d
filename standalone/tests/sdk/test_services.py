"""What is asked for beside chat, by the official OpenAI client."""

import io
import json
import urllib.request
import wave

import openai
import pytest


@pytest.fixture(scope="session")
def client(gateway):
    return openai.OpenAI(base_url=f"{gateway.base}/v1", api_key=gateway.key, max_retries=0)


def test_embeddings_as_the_client_asks_for_them_and_as_numbers(client):
    texts = ["a text", "another text"]
    # the client asks for base64 unless it is told otherwise
    packed = client.embeddings.create(model="sim-openai/vectors", input=texts)
    plain = client.embeddings.create(model="sim-openai/vectors", input=texts, encoding_format="float")
    assert packed.model == "sim-openai/vectors" and packed.usage.prompt_tokens == 4
    assert [len(datum.embedding) for datum in packed.data] == [8, 8]
    for one, other in zip(packed.data, plain.data):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    short = client.embeddings.create(model="sim-openai/vectors", input="a text", dimensions=3)
    assert len(short.data[0].embedding) == 3


def test_images_moderations_and_speech(client):
    images = client.images.generate(model="sim-openai/pictures", prompt="a lighthouse", n=2)
    assert len(images.data) == 2 and images.data[0].b64_json
    moderation = client.moderations.create(model="sim-openai/judge", input=["one", "two"])
    assert [result.flagged for result in moderation.results] == [False, False]
    speech = client.audio.speech.create(model="sim-openai/voice", input="one two three", voice="alloy", response_format="wav")
    with wave.open(io.BytesIO(speech.read())) as sound:
        assert sound.getnframes() == 3 * 400


def test_rerank_in_the_words_of_cohere(gateway):
    body = {"model": "sim-openai/judge", "query": "red apple", "documents": ["sky", "a red apple"], "top_n": 1}
    request = urllib.request.Request(
        f"{gateway.base}/v1/rerank",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        results = json.loads(answer.read())["results"]
    assert results == [{"index": 1, "relevance_score": 1.0}]


def test_a_model_that_offers_no_such_thing(client):
    with pytest.raises(openai.BadRequestError, match="offers no embeddings"):
        client.embeddings.create(model="sim-anthropic/sim", input="a text")


def test_each_is_in_the_log_with_what_it_used(gateway, client):
    client.embeddings.create(model="sim-openai/counted", input="one two three")
    for _ in range(100):
        logs = gateway.management.call("GET", "/api/usage/call-logs?model=counted")
        if logs:
            break
    assert logs and logs[0]["path"] == "/v1/embeddings" and logs[0]["tokens"]["in"] == 3, logs
