"""What is asked for beside chat, by the official OpenAI client."""

import contextlib
import http.server
import io
import json
import subprocess
import threading
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
    row = logged(gateway, "counted")
    assert row["path"] == "/v1/embeddings" and row["tokens"]["in"] == 3, row


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


def test_speech_is_heard_while_it_is_still_made(gateway, client):
    heard = threading.Event()

    class Provider(http.server.BaseHTTPRequestHandler):
        """Goes on only when the client has what was said before."""

        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "audio/aac")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in [b"one", b" two", b""]:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                heard.wait(20)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        add_endpoint(gateway.management, "slow", "openai", f"http://127.0.0.1:{server.server_port}/v1")
        gateway.management.call("PUT", "/api/pricing?wait=applied", {"slow": {"narrator": {"characters": 15}}})
        asked = client.audio.speech.with_streaming_response.create(model="slow/narrator", input="one two", voice="alloy")
        with asked as speech:
            assert speech.headers["content-type"] == "audio/aac"
            pieces = speech.iter_bytes()
            assert next(pieces) == b"one" and not heard.is_set()
            heard.set()
            assert b"".join(pieces) == b" two"
    finally:
        heard.set()
        server.shutdown()
    row = logged(gateway, "narrator")
    assert (row["outcome"], row["units"]) == ("ok", {"characters": 7}) and row["ttft"] is not None
    assert row["cost"] == pytest.approx(0.000105)


def test_long_speech_passes_through_without_being_held(simulators, tmp_path):
    with running(tmp_path, ALLOW_PRIVATE_PROVIDER_URLS="true") as (base, process, log):
        management = Management(base)
        add_endpoint(management, "sim", "openai", simulators["openai"])
        key = management.call("POST", "/api/keys?wait=applied", {"name": "k"})["key"]
        client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
        words = 95 * 2621

        def hear(text):
            asked = client.audio.speech.with_streaming_response.create(model="sim/voice", input=text, voice="alloy")
            with asked as speech:
                return sum(len(piece) for piece in speech.iter_bytes())

        hear("a " * 2621)
        before = most_memory(process.pid)
        assert hear("a " * words) == 44 + 400 * words, log.read_text()
        grown = most_memory(process.pid) - before
        assert grown < 16 << 20, f"grew by {grown >> 20} MiB"


def test_pictures_speech_and_transcripts_come_in_events(gateway, client):
    price = {"input": 1, "output": 2}
    prices = {"sim-openai": {name: price for name in ["sketcher", "reader", "listener"]}}
    gateway.management.call("PUT", "/api/pricing?wait=applied", prices)
    drawn = list(client.images.generate(model="sim-openai/sketcher", prompt="a boat", stream=True, partial_images=2))
    assert [event.type.removeprefix("image_generation.") for event in drawn] == ["partial_image", "partial_image", "completed"]
    assert drawn[-1].b64_json and drawn[-1].usage.output_tokens == 272

    edits = client.images.edit(model="sim-openai/sketcher", image=("a.png", b"PNG"), prompt="a boat", stream=True)
    assert [event.type for event in edits] == ["image_edit.completed"]

    recording = ("note.wav", b"RIFF" + bytes(20_000))
    heard = list(client.audio.transcriptions.create(model="sim-openai/listener", file=recording, stream=True))
    assert "".join(event.delta for event in heard[:-1]) == heard[-1].text == "I heard 20 words in \"note.wav\"."

    asked = client.audio.speech.with_streaming_response.create(
        model="sim-openai/reader", input="one two", voice="alloy", stream_format="sse"
    )
    with asked as speech:
        events = [json.loads(line.removeprefix("data: ")) for line in speech.iter_lines() if line]
    assert [event["type"] for event in events] == ["speech.audio.delta"] * 2 + ["speech.audio.done"]

    for model, used in [("sketcher", (2, 272)), ("listener", (20, 20)), ("reader", (2, 20))]:
        row = logged(gateway, model)
        assert row["stream"] and (row["tokens"]["in"], row["tokens"]["out"]) == used, row
        assert row["cost"] == pytest.approx((used[0] + 2 * used[1]) / 1_000_000) and row["evidence"] == "provider_reported"
    gateway.management.call("DELETE", "/api/pricing?provider=sim-openai&wait=applied")


def test_events_that_break_off_are_an_error_of_the_client(client):
    with pytest.raises(openai.APIError, match="broke"):
        for _ in client.images.generate(model="sim-broken/cut-1", prompt="a boat", stream=True, partial_images=2):
            pass


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


# where the API of a vendor with words of its own begins; each is a built-in provider of that name
BASES = {"assemblyai": "/v2", "deepgram": "/v1", "gemini": "/v1beta", "hyperbolic": "/v1", "nanobanana": "/api/v1", "nvidia": "/v1"}


@contextlib.contextmanager
def simulated(scratch, dialect):
    """A simulator of a vendor's API: where it begins."""
    port = free_port()
    log = scratch / f"{dialect}.log"
    process = subprocess.Popen(
        [BIN / "omniroute-demo-provider", "--listen", f"127.0.0.1:{port}", "--dialect", dialect],
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
        yield f"http://127.0.0.1:{port}{BASES[dialect]}"
    finally:
        process.kill()


@contextlib.contextmanager
def accounts(management, provider, address, keys):
    """Accounts of a built-in provider that are really at `address`, asked in the order of their keys: their ids."""
    made = []
    for number, key in enumerate(keys, start=1):
        account = {"provider": provider, "name": f"account {number}", "apiKey": key, "priority": number}
        account["providerSpecificData"] = {"baseUrl": address}
        made.append(management.call("POST", "/api/providers?wait=applied", account)["connection"]["id"])
    try:
        yield made
    finally:
        for account in made:
            management.call("DELETE", f"/api/providers/{account}?wait=applied")


@contextlib.contextmanager
def vendor(gateway, tmp_path, name, dialect):
    """An account of a built-in provider that is really at a simulator of it."""
    with simulated(tmp_path, dialect) as address, accounts(gateway.management, name, address, ["sk-upstream"]) as [account]:
        yield account


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


@pytest.fixture(scope="module")
def vendors(tmp_path_factory):
    """Where each vendor's simulator is."""
    with contextlib.ExitStack() as running:
        scratch = tmp_path_factory.mktemp("vendors")
        yield {dialect: running.enter_context(simulated(scratch, dialect)) for dialect in BASES}


def embeds(client, model):
    told = client.embeddings.create(model=model, input=["one", "three"])
    assert told.model == model and [len(datum.embedding) for datum in told.data] == [8, 8]


def draws(client, model):
    told = client.images.generate(model=model, prompt="a boat")
    assert len(told.data) == 1 and (told.data[0].b64_json or told.data[0].url) and told.created > 0


def speaks(client, model):
    assert client.audio.speech.create(model=model, input="one two", voice="alloy").read() == b"ID3one two"


def transcribes(client, model, size=32_000):
    told = client.audio.transcriptions.create(model=model, file=("note.mp3", bytes(size)))
    assert told.text == "I heard it."


def ranks(client, model):
    # the client has no such method; what it has for all others carries Cohere's words as well
    body = {"model": model, "query": "red apple", "documents": ["sky", "a red apple"], "top_n": 1}
    told = client.post("/rerank", body=body, cast_to=object)
    assert told["results"] == [{"index": 1, "relevance_score": 0.5, "document": {"text": "a red apple"}}]


# who is asked for what, what an operator says it costs where the list does not, what is used, and what that costs
OFFERS = [
    ("gemini", "gemini-embedding-001", embeds, None, {}, None),
    ("gemini", "gemini-2.5-flash-image", draws, None, {"images": 1}, None),
    ("nvidia", "nvidia/nv-rerankqa-mistral-4b-v3", ranks, {"search": 0.002}, {"searches": 1}, 0.002),
    ("hyperbolic", "FLUX.1-dev", draws, {"image": 0.01}, {"images": 1}, 0.01),
    ("hyperbolic", "melo-tts", speaks, {"characters": 5}, {"characters": 7}, 0.000035),
    ("nanobanana", "nanobanana-flash", draws, {"image": 0.02}, {"images": 1}, 0.02),
    ("deepgram", "nova-3", transcribes, None, {"audioMs": 3_000}, 0.000215),
    ("deepgram", "aura-asteria-en", speaks, None, {"characters": 7}, 0.000105),
    ("assemblyai", "universal-2", transcribes, None, {"audioMs": 3_000}, 0.000125),
]


@pytest.mark.parametrize("provider, model, ask, price, units, cost", OFFERS, ids=[f"{offer[0]} {offer[2].__name__}" for offer in OFFERS])
def test_a_vendors_other_account_answers_openais_client_and_the_cost_is_in_the_log(
    gateway, client, vendors, provider, model, ask, price, units, cost
):
    management = gateway.management
    if price:
        management.call("PUT", "/api/pricing?wait=applied", {provider: {model: price}})
    with accounts(management, provider, vendors[provider], ["sk-revoked", "sk-upstream"]) as [revoked, good]:
        ask(client, f"{provider}/{model}")
        row = logged(gateway, model, connectionId=good)
    attempts = [(attempt["connectionId"], attempt["outcome"]) for attempt in row["attempts"]]
    assert attempts == [(revoked, "auth"), (good, "ok")]
    assert (row["status"], row["provider"], row["units"]) == (200, provider, units), row
    # by tokens, it depends on how many of them the vendor says there were
    assert row["cost"] == pytest.approx(cost) if cost else row["cost"] > 0, row
    if price:
        management.call("DELETE", f"/api/pricing?provider={provider}&wait=applied")


# what the vendor refuses, and a word of what it says
REFUSALS = [
    ("gemini", "fail-400", embeds, "Bad Request, as asked"),
    ("gemini", "fail-400", draws, "Bad Request, as asked"),
    ("nvidia", "fail-400", ranks, "Bad Request, as asked"),
    ("hyperbolic", "fail-400", draws, "Bad Request, as asked"),
    ("deepgram", "fail-400", transcribes, "Bad Request, as asked"),
    ("assemblyai", "universal-2", lambda client, model: transcribes(client, model, size=13), "Transcoding failed"),
    ("nanobanana", "nanobanana-flash", lambda client, model: client.images.generate(model=model, prompt="a boat", n=5), "pictures at a time"),
]


@pytest.mark.parametrize("provider, model, ask, says", REFUSALS, ids=[f"{refusal[0]} {refusal[2].__name__}" for refusal in REFUSALS])
def test_what_a_vendor_refuses_is_refused_in_openais_words_and_costs_nothing(gateway, client, vendors, provider, model, ask, says):
    with accounts(gateway.management, provider, vendors[provider], ["sk-upstream", "sk-other"]) as [first, _]:
        with pytest.raises(openai.BadRequestError, match=says) as refused:
            ask(client, f"{provider}/{model}")
        assert set(refused.value.body) >= {"message", "type", "param", "code"}
        if model == "fail-400":
            row = logged(gateway, model, connectionId=first)
            # the request is to blame, so that nobody else is asked
            assert (row["status"], row["cost"], len(row["attempts"])) == (400, 0, 1), row


@pytest.mark.parametrize("provider, ask", [("nvidia", ranks), ("nanobanana", draws), ("assemblyai", transcribes)])
def test_a_vendor_whose_accounts_all_fail_is_an_error_that_names_no_key(gateway, client, vendors, provider, ask):
    with accounts(gateway.management, provider, vendors[provider], ["sk-revoked-1", "sk-revoked-2"]):
        with pytest.raises(openai.APIStatusError) as failed:
            ask(client, f"{provider}/whatever")
        assert failed.value.body["message"] and "sk-revoked" not in str(failed.value.body)


def logged(gateway, model, **wanted):
    """The newest request to a model, once it has reached the database."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        rows = gateway.management.call("GET", f"/api/usage/call-logs?model={model}")
        rows = [row for row in rows if row["model"] == model and wanted.items() <= row.items()]
        if rows:
            return rows[0]
        time.sleep(0.2)
    pytest.fail(f"no request to {model} arrived in the log")
