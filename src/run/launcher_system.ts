/**
 * The launcher has an actor system of its own, which all nodes reach over NATS: the actors that write the run directory
 * live there. It says when the server is away and back, if that is more than a moment.
 */
import { ActorSystem, HeapFramePool, stderrSink, type Clock, type Timer } from '../runtime/index.ts';
import { NatsTransport, type NatsTransportOptions } from '../runtime/cluster/nats.ts';
import { roleSupervision, RunFailed, spawnAgent } from './cluster.ts';
import { launcherName } from '../actors/placement/directory.ts';

export interface LauncherSystemOptions extends Omit<NatsTransportOptions, 'node' | 'pool' | 'near' | 'events'> {
  readonly gen: number;
  readonly notice: (text: string) => void;
  readonly onFailure: (error: Error) => void;
  /** Whether the nodes were given up: that actors fail whose asks went there is no news, and not logged. */
  readonly isAbandoned: () => boolean;
}

export interface LauncherSystem {
  readonly system: ActorSystem;
  readonly transport: NatsTransport;
  /** Ends the connections; the system is to be stopped first. */
  close(): Promise<void>;
}

/** Large messages reach a launcher only with a checkpoint: their memory is not kept for the next. */
const KEPT_BYTES = 2 ** 22;

/** Makes the system, connects it and enters `gen`. Throws what `NatsTransport.open` throws. */
export async function openLauncherSystem(options: LauncherSystemOptions): Promise<LauncherSystem> {
  const { gen, notice, onFailure, isAbandoned, ...links } = options;
  const { url } = links.server;
  const absence = new Absence(links.clock, (isAway) =>
    notice(`${url}: NATS server ${isAway ? 'is away; waiting for it' : 'is back'}`),
  );
  const transport = await NatsTransport.open({
    ...links,
    node: launcherName,
    pool: new HeapFramePool({ maxFreeBytes: KEPT_BYTES }),
    events: {
      broken: onFailure,
      noResponders: () => undefined,
      connection: (lane, isConnected) => {
        if (lane === 'control') absence.see(isConnected);
      },
      closed: (error) => onFailure(error ?? new RunFailed(`${url}: the connection was closed`)),
    },
  });
  const system = new ActorSystem({
    name: launcherName,
    transport,
    supervision: roleSupervision,
    logSink: (record) => {
      if (!isAbandoned()) stderrSink(record);
    },
    onFailure: (cause) => onFailure(new RunFailed(cause)),
  });
  transport.enter(gen);
  system.enter(gen);
  spawnAgent(system, [], { onEnter: (entered) => transport.enter(entered) });
  const close = (): Promise<void> => {
    absence.end();
    return transport.close();
  };
  return { system, transport, close };
}

/** How long a server may be away before that is told; one that is started again is away for less. */
const AWAY_MS = 2_000;

/** Tells that something is away when it has been for a while, and then that it is back. */
class Absence {
  readonly #clock: Clock;
  readonly #tell: (isAway: boolean) => void;
  #timer: Timer | null = null;
  #isTold = false;

  constructor(clock: Clock, tell: (isAway: boolean) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  see(isThere: boolean): void {
    this.#timer?.cancel();
    this.#timer = isThere ? null : this.#clock.after(AWAY_MS, () => this.#say(true));
    if (isThere && this.#isTold) this.#say(false);
  }

  end(): void {
    this.#timer?.cancel();
  }

  #say(isAway: boolean): void {
    this.#isTold = isAway;
    this.#tell(isAway);
  }
}
