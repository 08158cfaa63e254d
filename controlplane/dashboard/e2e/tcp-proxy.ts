import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** A way to a service that can be cut: who is connected is thrown out, and nobody gets through until it is mended. */
export type TcpProxy = { address: string; cut: () => void; mend: () => void; stop: () => Promise<void> };

export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let whole = true;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (!whole) {
      client.destroy();
      return;
    }
    const service = connect(port, host);
    for (const [one, other] of [
      [client, service],
      [service, client],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => undefined);
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const throwOut = () => open.forEach((socket) => socket.destroy());
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      whole = false;
      throwOut();
    },
    mend: () => {
      whole = true;
    },
    stop: async () => {
      throwOut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
