// Questions come in, a line of JSON each, and answers go out the same way. See cases.py for what is in them.
import { createInterface } from "node:readline";
import { ask as anthropic } from "./anthropic.mjs";
import { ask as google } from "./google.mjs";
import { askChat, askResponses } from "./openai.mjs";
import { ask as vercel } from "./vercel.mjs";

const CLIENTS = {
  "js-openai-chat": askChat,
  "js-openai-responses": askResponses,
  "js-anthropic": anthropic,
  "js-google": google,
  "js-ai-openai-compatible": vercel,
  "js-ai-openai": vercel,
  "js-ai-anthropic": vercel,
  "js-ai-google": vercel,
};

// standard output belongs to the answers
console.log = console.info = console.debug = console.error;

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = await CLIENTS[asked.client](asked);
  } catch (error) {
    answer = failure(error);
  }
  process.stdout.write(`${JSON.stringify({ ...answer, number: asked.number })}\n`);
}

function failure(error) {
  const names = [];
  for (let kind = error; kind && kind !== Object.prototype; kind = Object.getPrototypeOf(kind)) {
    names.push(kind.constructor.name);
  }
  const headers = error.responseHeaders ?? error.headers ?? {};
  return {
    error: [error.name, ...names],
    status: error.statusCode ?? error.status ?? null,
    retry_after: headers.get?.("retry-after") ?? headers["retry-after"] ?? null,
    message: String(error.message ?? error),
  };
}
