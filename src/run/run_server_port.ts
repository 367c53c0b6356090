/**
 * A run server is the NATS server of a run, as a launch sees it: where it is, and what can be done about one that is
 * the run's own.
 */
import type { NatsAddress } from '../runtime/cluster/nats.ts';

export interface RunServer {
  /** Where the server listens; elsewhere after `renew`. */
  readonly address: NatsAddress;
  /** The store of the run's own server; null for a server that runs elsewhere. */
  readonly own: OwnStore | null;
  /** Resolves if the server ends for good, with the reason. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

/** A server that was started for the run, and its store. */
export interface OwnStore {
  readonly storeDir: string;
  /** Ends the server by force, for one that hangs; it comes back at the same address. */
  restart(): void;
  /** Moves the store aside, since it is damaged, and starts with an empty one. Once a launch: then it throws `damage`. */
  renew(damage: Error): Promise<void>;
}
