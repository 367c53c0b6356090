/**
 * Two nodes of a run, and between them and their nats-server a network that fails on purpose. Each test has a server of
 * its own.
 */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { RunEvent } from '../../src/run/run_port.ts';
import { NatsServer } from '../../src/runtime/cluster/nats.ts';
import { FaultProxy } from '../runtime/transport/fault_proxy.ts';
import { RunFolder, type Played, type PlayOptions, type Settings } from './run_kit.ts';

/** Runs whose curves are compared, with a step in the middle in which something may happen. */
export const settings = { 'training.steps': 12, 'training.eval_interval': 6, 'checkpoint.interval': 6 };

/** Steps that were run again. */
export const incidents = ({ events }: Played): string[] =>
  events.flatMap((event) =>
    event.kind === 'notice' && event.text.includes('running the step again in gen') ? [event.text] : [],
  );

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

  /** Plays `settings`; `atStep` is called once, when step 5 has been logged. */
  playTo(folder: RunFolder, atStep: (events: readonly RunEvent[]) => void = () => undefined): Promise<Played> {
    const seen: RunEvent[] = [];
    return this.play(folder, settings, {
      watch: (event) => {
        seen.push(event);
        if (event.kind === 'step' && event.metrics.step === 5) atStep(seen);
      },
    });
  }

  async close(): Promise<void> {
    delete process.env.TROUPE_NATS_TOKEN;
    await this.proxy.close();
    await this.server.close();
  }
}

/** What the tests of a file have in common: the run on a network that works, and for each test one that fails. */
export interface FaultyRuns {
  readonly folder: RunFolder;
  readonly alone: Played;
  readonly network: FaultyNetwork;
}

/** Sets a file up: `settings` are played on one node before its tests, and each test has a network of its own. */
export function onFaultyNetworks(settings: Settings): FaultyRuns {
  const folder = new RunFolder();
  const runs: { alone?: Played; network?: FaultyNetwork } = {};
  beforeAll(async () => {
    runs.alone = await folder.play(settings);
  });
  beforeEach(async () => {
    runs.network = await FaultyNetwork.open();
  });
  afterEach(() => runs.network?.close());
  afterAll(() => folder[Symbol.dispose]());
  return {
    folder,
    get alone() {
      return runs.alone!;
    },
    get network() {
      return runs.network!;
    },
  };
}
