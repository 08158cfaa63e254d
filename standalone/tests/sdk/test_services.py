"""What is asked for beside chat, by the official OpenAI client."""

import contextlib
import io
import json
import subprocess
import time
import urllib.request
import wave

import openai
import pytest

from conftest import BIN, Management, add_endpoint, free_port, running, wait_for


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


def test_a_recording_becomes_text_in_every_format(client):
    recording = ("note.wav", b"RIFF" + bytes(20_000))
    heard = "I heard 20 words in \"note.wav\"."
    told = client.audio.transcriptions.create(model="sim-openai/ears", file=recording)
    assert told.text == heard
    whole = client.audio.transcriptions.create(
        model="sim-openai/ears",
        file=recording,
        response_format="verbose_json",
        timestamp_granularities=["segment"],
        language="en",
    )
    assert (whole.text, whole.duration, len(whole.segments)) == (heard, 2.0, 1)
    for response_format, begins in [("text", heard), ("srt", "1\n00:00:00"), ("vtt", "WEBVTT")]:
        text = client.audio.transcriptions.create(
            model="sim-openai/ears", file=recording, response_format=response_format
        )
        assert text.startswith(begins), text
    translated = client.audio.translations.create(model="sim-openai/ears", file=recording)
    assert translated.text == heard
    with pytest.raises(openai.BadRequestError, match="offers no transcriptions"):
        client.audio.transcriptions.create(model="sim-anthropic/sim", file=recording)


def test_pictures_are_edited(client):
    edited = client.images.edit(
        model="sim-openai/pictures",
        image=[("one.png", b"\x89PNG one"), ("two.png", b"\x89PNG two")],
        mask=("mask.png", b"\x89PNG"),
        prompt="a lighthouse at night",
    )
    assert len(edited.data) == 1 and edited.data[0].b64_json
    assert edited.usage.output_tokens == 272


def test_a_long_recording_passes_through_without_being_held(simulators, tmp_path):
    environment = {"ALLOW_PRIVATE_PROVIDER_URLS": "true", "UPLOAD_DIR": str(tmp_path)}
    with running(tmp_path, **environment) as (base, process, log):
        management = Management(base)
        add_endpoint(management, "sim", "openai", simulators["openai"])
        key = management.call("POST", "/api/keys?wait=applied", {"name": "k"})["key"]
        client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
        size = 95 << 20
        client.audio.transcriptions.create(model="sim/ears", file=("warm.wav", bytes(2 << 20)))
        before = most_memory(process.pid)
        told = client.audio.transcriptions.create(model="sim/ears", file=("lecture.wav", bytes(size)))
        grown = most_memory(process.pid) - before
        assert told.text == f"I heard {1 + size // 1024} words in \"lecture.wav\".", log.read_text()
        assert grown < 16 << 20, f"grew by {grown >> 20} MiB"
        assert [path.name for path in tmp_path.iterdir() if path.name not in ("data", "omniroute.log")] == []


def most_memory(pid):
    """The most that a process has ever held, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("model", ["sim-openai/base", "sim-anthropic/sim", "sim-gemini/sim", "sim-openai-responses/gpt-4o"])
def test_a_text_is_gone_on_with_by_whoever_is_asked(client, model):
    whole = client.completions.create(model=model, prompt="Once upon a time", max_tokens=50, user="u")
    assert whole.object == "text_completion" and whole.choices[0].text and whole.choices[0].finish_reason == "stop"
    assert whole.usage.prompt_tokens > 0
    pieces = list(
        client.completions.create(
            model=model, prompt="Once upon a time", max_tokens=50, user="u", stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == whole.choices[0].text
    assert pieces[-1].usage == whole.usage


def test_what_a_conversation_cannot_say_is_refused_by_its_name(client):
    with pytest.raises(openai.BadRequestError) as refusal:
        client.completions.create(model="sim-anthropic/sim", prompt="Once", echo=True)
    assert refusal.value.param == "echo"
    assert client.completions.create(model="sim-openai/base", prompt="Once ", echo=True).choices[0].text == "Once and so on"


def test_pictures_have_a_price_and_their_cost_is_in_the_log(gateway, client):
    prices = {"sim-openai": {"painter": {"image": 0.04}, "painter#hd": {"image": 0.08}}}
    gateway.management.call("PUT", "/api/pricing?wait=applied", prices)
    client.images.generate(model="sim-openai/painter", prompt="a lighthouse", n=2, quality="hd")
    row = logged(gateway, "painter")
    assert row["units"] == {"images": 2} and row["cost"] == pytest.approx(0.16)
    gateway.management.call("DELETE", "/api/pricing?provider=sim-openai&wait=applied")
    client.images.generate(model="sim-openai/unpriced-painter", prompt="a lighthouse")
    assert logged(gateway, "unpriced-painter")["cost"] is None


@contextlib.contextmanager
def vendor(gateway, tmp_path, name, dialect):
    """An account of a built-in provider that is really at a simulator of it."""
    port = free_port()
    log = tmp_path / f"{dialect}.log"
    process = subprocess.Popen(
        [BIN / "omniroute-demo-provider", "--listen", f"127.0.0.1:{port}", "--dialect", dialect],
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
        base = {"deepgram": "/v1", "assemblyai": "/v2"}[dialect]
        account = {
            "provider": name,
            "name": "main",
            "apiKey": "sk-upstream",
            "providerSpecificData": {"baseUrl": f"http://127.0.0.1:{port}{base}"},
        }
        made = gateway.management.call("POST", "/api/providers?wait=applied", account)["connection"]
        yield made["id"]
    finally:
        process.kill()


@pytest.mark.parametrize("name, model", [("deepgram", "nova-3"), ("assemblyai", "universal-2")])
def test_vendors_with_words_of_their_own_transcribe_for_openais_client(gateway, client, tmp_path, name, model):
    with vendor(gateway, tmp_path, name, name) as account:
        tested = gateway.management.call("POST", f"/api/providers/{account}/test")
        assert tested["valid"], tested
        recording = ("note.wav", b"RIFF" + bytes(20_000))
        whole = client.audio.transcriptions.create(
            model=f"{name}/{model}", file=recording, response_format="verbose_json", timestamp_granularities=["word"]
        )
        assert (whole.text, whole.duration, len(whole.words)) == ("I heard it.", 2.0, 3)
        text = client.audio.transcriptions.create(model=f"{name}/{model}", file=recording, response_format="vtt")
        assert text.startswith("WEBVTT")
    assert logged(gateway, model)["units"] == {"audioMs": 2000}


def logged(gateway, model):
    """The newest request to a model, once it has reached the database."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        rows = gateway.management.call("GET", f"/api/usage/call-logs?model={model}")
        rows = [row for row in rows if row["model"] == model]
        if rows:
            return rows[0]
        time.sleep(0.05)
    pytest.fail(f"no request to {model} arrived in the log")
