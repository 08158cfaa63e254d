import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A provider that says in its answers what is left, as OpenAI does, and lists more models than a gateway knows. */
export type LimitedProvider = { address: string; limit: number; left: () => number; stop: () => Promise<void> };

const MODELS = ['house-large', 'house-small', 'house-embedding'];

export async function startLimitedProvider(limit: number): Promise<LimitedProvider> {
  let left = limit;
  const server = createServer((request, response) => {
    request.resume();
    const lists = request.url?.endsWith('/models');
    if (!lists) left -= 1;
    const body = lists
      ? { object: 'list', data: MODELS.map((id) => ({ id, object: 'model', created: 0, owned_by: 'house' })) }
      : {
          id: 'chatcmpl-1',
          object: 'chat.completion',
          created: 0,
          model: 'house-large',
          choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        };
    response.writeHead(200, {
      'content-type': 'application/json',
      'x-ratelimit-limit-requests': limit,
      'x-ratelimit-remaining-requests': left,
      'x-ratelimit-reset-requests': '1h0m0s',
    });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    limit,
    left: () => left,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
