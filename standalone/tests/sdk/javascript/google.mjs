// @google/genai.
import { GoogleGenAI } from "@google/genai";
import { parameters } from "./tools.mjs";

export async function ask(asked) {
  const { question, model } = asked;
  const client = new GoogleGenAI({ apiKey: asked.key, httpOptions: { baseUrl: asked.base, timeout: 30_000 } });
  const parts = [{ text: question.text }];
  if (question.image) parts.push({ inlineData: { mimeType: "image/png", data: question.image } });
  const contents = [{ role: "user", parts }];
  const config = {};
  if (question.system) config.systemInstruction = question.system;
  if (question.tools) {
    config.tools = [{ functionDeclarations: question.tools.map((name) => ({ name, parametersJsonSchema: parameters() })) }];
  }
  if (question.schema) {
    config.responseMimeType = "application/json";
    config.responseJsonSchema = question.schema;
  }
  if (question.think) config.thinkingConfig = { includeThoughts: true, thinkingBudget: 1024 };

  const generate = async () => {
    const request = { model, contents, config };
    const chunks = [];
    if (question.stream) {
      for await (const chunk of await client.models.generateContentStream(request)) chunks.push(chunk);
    } else {
      chunks.push(await client.models.generateContent(request));
    }
    return chunks;
  };
  const chunks = await generate();
  const answer = read(chunks);
  if (answer.calls.length && question.results) {
    const said = partsOf(chunks);
    contents.push({ role: "model", parts: said });
    const calls = said.filter((part) => part.functionCall).map((part) => part.functionCall);
    contents.push({
      role: "user",
      parts: calls.map(({ id, name }) => ({ functionResponse: { id, name, response: { output: question.results[name] } } })),
    });
    answer.then = read(await generate());
  }
  return answer;
}

const partsOf = (chunks) => chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);

function read(chunks) {
  const parts = partsOf(chunks);
  const usage = chunks.map((chunk) => chunk.usageMetadata).filter(Boolean).at(-1);
  const text = (thought) => parts.filter((part) => part.text && Boolean(part.thought) === thought).map((part) => part.text).join("");
  return {
    text: text(false),
    thought: text(true),
    calls: parts.filter((part) => part.functionCall).map(({ functionCall }) => ({ name: functionCall.name, arguments: functionCall.args })),
    finish: chunks.map((chunk) => chunk.candidates?.[0]?.finishReason).filter(Boolean).join(),
    input: usage.promptTokenCount,
    cached: usage.cachedContentTokenCount ?? 0,
    output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
  };
}
