import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { PASSWORD, freePort, stop } from './gateway';
import { type TcpProxy, startTcpProxy } from './tcp-proxy';

/** A control plane and data planes, each a process, on a database and below a prefix of their own. */
export type Cluster = {
  address: string;
  planes: { address: string; process: ChildProcess }[];
  /** The control plane's ways to its services, where they can be cut. */
  postgres: TcpProxy | undefined;
  redis: TcpProxy | undefined;
  stop: () => Promise<void>;
};

const START_TIMEOUT_MS = 60_000;
const SECRETS = {
  CLUSTER_SECRET: 'the cluster secret of the browser tests, long enough',
  JWT_SECRET: 'vT3qk8ZxPw2mRb6yLs9dHf4jNc7gUa1e',
  API_KEY_SECRET: 'pQ5wErT7yUi9oAsD',
  STORAGE_ENCRYPTION_KEY: 'zX8cVb6nMq4wEr2tYu0iOp9aSd7fGh5j',
};

/** `breakable`: the control plane reaches its database and its state store through proxies that can be cut. */
export async function startCluster(dataPlanes: number, { breakable = false } = {}): Promise<Cluster> {
  const { DATABASE_URL, REDIS_URL, OMNIROUTE_BIN_DIR } = process.env;
  if (!DATABASE_URL || !REDIS_URL || !OMNIROUTE_BIN_DIR)
    throw new Error('a cluster needs DATABASE_URL, REDIS_URL and OMNIROUTE_BIN_DIR: run `make test`, or inside scripts/with-services');
  const name = `browser_${randomUUID().replaceAll('-', '')}`;
  // it stays behind: the server of `make test` does not outlive the tests
  const server = postgres(DATABASE_URL, { max: 1 });
  await server.unsafe(`create database ${name}`);
  await server.end();
  const dir = await mkdtemp(join(tmpdir(), 'omniroute-cluster-'));
  const [http, grpc] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const started: ChildProcess[] = [];

  const database = Object.assign(new URL(DATABASE_URL), { pathname: `/${name}` });
  const store = new URL(REDIS_URL);
  const way = (to: URL, port: number) => (breakable ? startTcpProxy(to.hostname, Number(to.port) || port) : undefined);
  const [toPostgres, toRedis] = [await way(database, 5432), await way(store, 6379)];
  const through = (to: URL, proxy: TcpProxy | undefined) => (proxy ? Object.assign(new URL(to), { host: proxy.address }) : to).href;

  async function start(program: string, listen: string, args: string[], env: Record<string, string>): Promise<ChildProcess> {
    const child = spawn(join(OMNIROUTE_BIN_DIR ?? '', program), ['--listen', listen, ...args], {
      env: { PATH: process.env.PATH, REDIS_URL, ...env, ALLOW_PRIVATE_PROVIDER_URLS: 'true' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline && child.exitCode === null) {
      const ready = await fetch(`http://${listen}/readyz`).catch(() => null);
      if (ready?.ok) return child;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${program} did not get ready; it said:\n${said}`);
  }

  await start('omniroute-controlplane', http, ['--grpc-listen', grpc], {
    ...SECRETS,
    DATABASE_URL: through(database, toPostgres),
    REDIS_URL: through(store, toRedis),
    OMNIROUTE_CONTROLPLANE__REDIS_PREFIX: name,
    INITIAL_PASSWORD: PASSWORD,
  });
  const planes = [];
  for (let number = 0; number < dataPlanes; number += 1) {
    const listen = `127.0.0.1:${await freePort()}`;
    const env = {
      CLUSTER_SECRET: SECRETS.CLUSTER_SECRET,
      CONTROL_PLANE_URL: `http://${grpc}`,
      DATA_DIR: join(dir, `${number}`),
      OMNIROUTE_DATAPLANE__REDIS_PREFIX: name,
      OMNIROUTE_DATAPLANE__DRAIN_NOTICE_MS: '0',
    };
    planes.push({ address: listen, process: await start('omniroute-dataplane', listen, [], env) });
  }
  return {
    address: `http://${http}`,
    planes,
    postgres: toPostgres,
    redis: toRedis,
    stop: async () => {
      await Promise.all(started.map(stop));
      await toPostgres?.stop();
      await toRedis?.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
