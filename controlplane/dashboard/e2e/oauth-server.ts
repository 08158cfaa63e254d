import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const CLIENT_ID = 'client-of-the-browser-tests';

/** Where accounts are signed in to: whoever opens one of its pages says yes. */
export type OAuthServer = {
  /** What a gateway is started with to sign in there. */
  env: Record<string, string>;
  stop: () => Promise<void>;
};

/** Both flows, without any check: what is refused is tested where no browser is needed. */
export async function startOAuthServer(): Promise<OAuthServer> {
  const approved = new Set<string>();
  let devices = 0;
  const server: Server = createServer((request, response) => {
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '/', address);
    const fields = new URLSearchParams(await text(request));
    const send = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /authorize': {
        const back = new URL(url.searchParams.get('redirect_uri') ?? '');
        back.searchParams.set('code', 'a-code');
        back.searchParams.set('state', url.searchParams.get('state') ?? '');
        response.writeHead(302, { location: back.href }).end();
        return;
      }
      case 'POST /device': {
        const code = `USER-${++devices}`;
        send(200, { device_code: code, user_code: code, verification_uri: `${address}/device?user_code=${code}`, expires_in: 600, interval: 1 });
        return;
      }
      case 'GET /device':
        approved.add(url.searchParams.get('user_code') ?? '');
        response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Approved</title><p>You may close this page.');
        return;
      case 'POST /token': {
        const device = fields.get('device_code');
        if (device !== null && !approved.has(device)) {
          send(400, { error: 'authorization_pending' });
          return;
        }
        const claims = Buffer.from(JSON.stringify({ email: device ? 'device@example.test' : 'page@example.test' }));
        send(200, { access_token: 'access', refresh_token: 'refresh', expires_in: 3600, id_token: `e30.${claims.toString('base64url')}.c2ln` });
        return;
      }
      default:
        send(404, {});
    }
  }
  const setting = (provider: string, name: string) => `OMNIROUTE_CONTROLPLANE__API__OAUTH__${provider}__${name}`;
  const env = {
    GEMINI_OAUTH_CLIENT_ID: CLIENT_ID,
    [setting('GEMINI', 'AUTHORIZE_URL')]: `${address}/authorize`,
    [setting('GEMINI', 'TOKEN_URL')]: `${address}/token`,
    QWEN_OAUTH_CLIENT_ID: CLIENT_ID,
    [setting('QWEN', 'DEVICE_URL')]: `${address}/device`,
    [setting('QWEN', 'TOKEN_URL')]: `${address}/token`,
  };
  return { env, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
