/** Can this process listen on loopback, and be reached there? Nodes of one machine meet there; one node does without. */
import { connect, createServer } from 'node:net';
import type { Finding } from './finding.ts';

const host = '127.0.0.1';
/** A firewall that drops what it does not like lets one wait for minutes. */
const limitMs = 5_000;

export function checkLoopback(): Promise<Finding> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const fail = (error: Error): void => resolve(error.message);
  const server = createServer((socket) => socket.on('error', fail).resume());
  server.once('error', fail);
  server.listen(0, host, () => {
    const address = server.address();
    if (address === null || typeof address === 'string') return resolve('no port');
    // The interface may be down: listening works then, connecting does not.
    const socket = connect({ host, port: address.port, timeout: limitMs });
    socket.once('connect', () => resolve(null)).once('error', fail);
    socket.once('timeout', () => resolve(`connect ${host}: no answer in ${limitMs / 1000} s`));
    void promise.then(() => socket.destroy());
  });
  return promise.then((failure) => {
    server.close();
    return judgeLoopback(failure);
  });
}

/** `failure` is what the system said; null if a port could be listened at and connected to. */
export function judgeLoopback(failure: string | null): Finding {
  const isUsable = failure === null;
  return {
    check: 'loopback',
    mark: isUsable ? 'ok' : 'warn',
    found: isUsable ? `${host} has free ports and can be reached` : `${failure}: one node trains without it`,
    mend: isUsable ? null : "bring loopback up with 'ip link set lo up', or allow programs to listen on it",
    facts: { host, usable: isUsable },
  };
}
