/**
 * Two nodes of a run, and between them and their nats-server a network that fails on purpose. Each test has a server of
 * its own.
 */
import { NatsServer } from '../../src/runtime/cluster/nats.ts';
import { FaultProxy } from '../runtime/transport/fault_proxy.ts';
import type { Played, PlayOptions, RunFolder, Settings } from './run_kit.ts';

export class FaultyNetwork {
  readonly server: NatsServer;
  readonly proxy: FaultProxy;

  private constructor(server: NatsServer, proxy: FaultProxy) {
    this.server = server;
    this.proxy = proxy;
  }

  static async open(): Promise<FaultyNetwork> {
    const server = await NatsServer.start();
    process.env.TROUPE_NATS_TOKEN = server.address.token ?? '';
    return new FaultyNetwork(server, await FaultProxy.open(server.address));
  }

  play(folder: RunFolder, settings: Settings, options: PlayOptions): Promise<Played> {
    return folder.play({ ...settings, 'cluster.nodes': 2, 'cluster.nats.url': this.proxy.address.url }, options);
  }

  async close(): Promise<void> {
    delete process.env.TROUPE_NATS_TOKEN;
    await this.proxy.close();
    await this.server.close();
  }
}
