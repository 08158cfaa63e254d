// openai: chat completions and responses.
import OpenAI from "openai";
import { parameters } from "./tools.mjs";

const connect = ({ base, key }) => new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0, timeout: 30_000 });

export async function askChat(asked) {
  const { question } = asked;
  const client = connect(asked);
  let content = question.text;
  if (question.image) {
    const url = `data:image/png;base64,${question.image}`;
    content = [{ type: "text", text: content }, { type: "image_url", image_url: { url } }];
  }
  const messages = [{ role: "user", content }];
  if (question.system) messages.unshift({ role: "system", content: question.system });
  const options = { model: asked.model };
  if (question.tools) {
    options.tools = question.tools.map((name) => ({ type: "function", function: { name, parameters: parameters(), strict: true } }));
  }
  if (question.schema) {
    options.response_format = { type: "json_schema", json_schema: { name: "place", schema: question.schema, strict: true } };
  }
  if (question.think) options.reasoning_effort = "low";

  const complete = async () => {
    if (!question.stream) return client.chat.completions.create({ ...options, messages });
    return client.chat.completions.stream({ ...options, messages, stream_options: { include_usage: true } }).finalChatCompletion();
  };
  const completion = await complete();
  const answer = readChat(completion);
  if (answer.calls.length && question.results) {
    const { message } = completion.choices[0];
    messages.push(message);
    for (const call of message.tool_calls) {
      messages.push({ role: "tool", tool_call_id: call.id, content: question.results[call.function.name] });
    }
    answer.then = readChat(await complete());
  }
  return answer;
}

function readChat(completion) {
  const [{ message, finish_reason }] = completion.choices;
  return {
    text: message.content ?? "",
    thought: message.reasoning_content ?? "",
    calls: (message.tool_calls ?? []).map((call) => ({ name: call.function.name, arguments: JSON.parse(call.function.arguments) })),
    finish: finish_reason,
    input: completion.usage.prompt_tokens,
    cached: completion.usage.prompt_tokens_details?.cached_tokens ?? 0,
    output: completion.usage.completion_tokens,
  };
}

export async function askResponses(asked) {
  const { question } = asked;
  const client = connect(asked);
  let content = question.text;
  if (question.image) {
    const url = `data:image/png;base64,${question.image}`;
    content = [{ type: "input_text", text: content }, { type: "input_image", image_url: url, detail: "auto" }];
  }
  const input = [{ role: "user", content }];
  const options = { model: asked.model, store: false };
  if (question.system) options.instructions = question.system;
  if (question.tools) {
    options.tools = question.tools.map((name) => ({ type: "function", name, parameters: parameters(), strict: true }));
  }
  if (question.schema) {
    options.text = { format: { type: "json_schema", name: "place", schema: question.schema, strict: true } };
  }
  if (question.think) {
    options.reasoning = { effort: "low", summary: "auto" };
    options.include = ["reasoning.encrypted_content"];
  }

  const respond = async () => {
    if (!question.stream) return client.responses.create({ ...options, input });
    const response = await client.responses.stream({ ...options, input }).finalResponse();
    // the SDK gives it to its caller, who is to look at it
    if (response.status === "failed") throw new OpenAI.APIError(undefined, response.error, response.error.message);
    return response;
  };
  const response = await respond();
  const answer = readResponse(response);
  if (answer.calls.length && question.results) {
    input.push(...response.output);
    for (const call of response.output.filter((item) => item.type === "function_call")) {
      input.push({ type: "function_call_output", call_id: call.call_id, output: question.results[call.name] });
    }
    answer.then = readResponse(await respond());
  }
  return answer;
}

function readResponse(response) {
  const of = (kind) => response.output.filter((item) => item.type === kind);
  return {
    text: response.output_text,
    thought: of("reasoning").flatMap((item) => item.summary).map((part) => part.text).join(""),
    calls: of("function_call").map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) })),
    finish: response.status,
    input: response.usage.input_tokens,
    cached: response.usage.input_tokens_details.cached_tokens,
    output: response.usage.output_tokens,
  };
}
