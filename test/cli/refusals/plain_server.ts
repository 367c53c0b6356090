/** A nats-server as it is without any config: no token, no JetStream. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { findNatsServer } from '../../../src/runtime/cluster/nats.ts';

export class PlainServer {
  readonly url: string;
  private readonly process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.process = process;
    this.url = url;
  }

  static async start(): Promise<PlainServer> {
    const child = spawn(findNatsServer(), ['-a', '127.0.0.1', '-p', '-1'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const url = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (text: Buffer) => {
        said += text.toString();
        const address = /Listening for client connections on (\S+)/.exec(said)?.[1];
        if (address !== undefined) resolve(`nats://${address}`);
      });
      child.once('close', () => reject(new RangeError(said)));
    });
    return new PlainServer(child, url);
  }

  async close(): Promise<void> {
    const closed = once(this.process, 'close');
    this.process.kill();
    await closed;
  }
}
