import type { Server } from 'node:http';
import Provider from 'oidc-provider';

/** An OpenID provider: whoever signs in is in the one group that has their name. */
export type Identity = { env: Record<string, string>; stop: () => Promise<void> };

const CLIENT = { id: 'omniroute', secret: 'of this one test, and nowhere else' };

/** Starts one for the gateway at `gateway`; `env` makes the gateway use it. */
export async function startIdentity(port: number, gateway: string): Promise<Identity> {
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [`${gateway}/api/auth/oidc/callback`],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email'], profile: ['preferred_username', 'groups'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, preferred_username: id, groups: [id] }),
    }),
    pkce: { required: () => true },
    cookies: { keys: ['of this one test'] },
  });
  const server = await new Promise<Server>((resolve) => {
    const listening: Server = provider.listen(port, '127.0.0.1', () => resolve(listening));
  });
  return {
    env: {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: CLIENT.id,
      OIDC_CLIENT_SECRET: CLIENT.secret,
      OIDC_REDIRECT_URL: `${gateway}/api/auth/oidc/callback`,
      OIDC_ROLES: 'vera=viewer,anna=admin',
      OIDC_NAME: 'Example ID',
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
