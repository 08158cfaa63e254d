// ai, with the providers that speak the gateway's dialects.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, streamText, tool } from "ai";
import { parameters } from "./tools.mjs";

const MODELS = {
  "js-ai-openai-compatible": ({ base, key, model }) =>
    createOpenAICompatible({
      name: "gateway",
      baseURL: `${base}/v1`,
      apiKey: key,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })(model),
  "js-ai-openai": ({ base, key, model }) => createOpenAI({ baseURL: `${base}/v1`, apiKey: key })(model),
  "js-ai-anthropic": ({ base, key, model }) => createAnthropic({ baseURL: `${base}/v1`, apiKey: key })(model),
  "js-ai-google": ({ base, key, model }) =>
    createGoogleGenerativeAI({ baseURL: `${base}/v1beta`, apiKey: key })(`models/${model}`),
};
const THINKING = {
  gateway: { reasoningEffort: "low" },
  openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true, include: ["reasoning.encrypted_content"] },
  anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } },
  google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
};

export async function ask(asked) {
  const { question } = asked;
  const content = [{ type: "text", text: question.text }];
  if (question.image) content.push({ type: "image", image: question.image, mediaType: "image/png" });
  const messages = [{ role: "user", content }];
  const providerOptions = {
    openai: { store: false },
    // of a model it does not know it believes that it has to be handed a tool instead
    anthropic: { structuredOutputMode: "outputFormat" },
  };
  const options = { model: MODELS[asked.client](asked), maxRetries: 0, providerOptions };
  if (question.system) options.system = question.system;
  if (question.tools) {
    const offered = question.tools.map((name) => [name, tool({ description: name, inputSchema: jsonSchema(parameters()) })]);
    options.tools = Object.fromEntries(offered);
  }
  if (question.schema) options.output = Output.object({ schema: jsonSchema(question.schema) });
  if (question.think) {
    for (const [name, thinking] of Object.entries(THINKING)) {
      providerOptions[name] = { ...providerOptions[name], ...thinking };
    }
  }

  const generate = async () => {
    if (!question.stream) return generateText({ ...options, messages });
    const result = streamText({ ...options, messages, onError: () => {} });
    for await (const part of result.fullStream) {
      if (part.type === "error") throw part.error instanceof Error ? part.error : new Error(JSON.stringify(part.error));
    }
    const names = ["text", "reasoningText", "toolCalls", "finishReason", "usage", "response"];
    const values = await Promise.all(names.map((name) => result[name]));
    return Object.fromEntries(names.map((name, n) => [name, values[n]]));
  };
  const result = await generate();
  const answer = read(result);
  if (answer.calls.length && question.results) {
    messages.push(...result.response.messages);
    messages.push({
      role: "tool",
      content: result.toolCalls.map(({ toolCallId, toolName }) => ({
        type: "tool-result",
        toolCallId,
        toolName,
        output: { type: "text", value: question.results[toolName] },
      })),
    });
    answer.then = read(await generate());
  }
  return answer;
}

function read(result) {
  return {
    text: result.text,
    thought: result.reasoningText ?? "",
    calls: result.toolCalls.map((call) => ({ name: call.toolName, arguments: call.input })),
    finish: result.finishReason,
    input: result.usage.inputTokens,
    cached: result.usage.inputTokenDetails?.cacheReadTokens ?? 0,
    output: result.usage.outputTokens,
  };
}
