// @anthropic-ai/sdk.
import Anthropic from "@anthropic-ai/sdk";
import { parameters } from "./tools.mjs";

export async function ask(asked) {
  const { question } = asked;
  const client = new Anthropic({ baseURL: asked.base, apiKey: asked.key, maxRetries: 0, timeout: 30_000 });
  const content = [{ type: "text", text: question.text }];
  if (question.image) {
    content.push({ type: "image", source: { type: "base64", media_type: "image/png", data: question.image } });
  }
  const messages = [{ role: "user", content }];
  const options = { model: asked.model, max_tokens: 4000 };
  if (question.system) options.system = question.system;
  if (question.tools) options.tools = question.tools.map((name) => ({ name, input_schema: parameters() }));
  if (question.schema) options.output_config = { format: { type: "json_schema", schema: question.schema } };
  if (question.think) options.thinking = { type: "enabled", budget_tokens: 1024 };

  const send = async () => {
    if (!question.stream) return client.messages.create({ ...options, messages });
    return client.messages.stream({ ...options, messages }).finalMessage();
  };
  const message = await send();
  const answer = read(message);
  if (answer.calls.length && question.results) {
    messages.push({ role: "assistant", content: message.content });
    const calls = message.content.filter((block) => block.type === "tool_use");
    messages.push({
      role: "user",
      content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: question.results[call.name] })),
    });
    answer.then = read(await send());
  }
  return answer;
}

function read(message) {
  const of = (kind) => message.content.filter((block) => block.type === kind);
  const cached = message.usage.cache_read_input_tokens ?? 0;
  return {
    text: of("text").map((block) => block.text).join(""),
    thought: of("thinking").map((block) => block.thinking).join(""),
    calls: of("tool_use").map((block) => ({ name: block.name, arguments: block.input })),
    finish: message.stop_reason,
    input: message.usage.input_tokens + cached,
    cached,
    output: message.usage.output_tokens,
  };
}
