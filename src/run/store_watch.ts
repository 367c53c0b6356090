/**
 * The launcher watches the store in which steps are recorded. nats-server may live and be reached while its store takes
 * no writes, above all when its disk is full; then every step waits without a word. The watch counts the time since a
 * write was answered, says what is wrong, starts our own server again once there is room, and ends a run that was
 * interrupted meanwhile.
 */
import { statfs } from 'node:fs/promises';
import type { Clock, Timer } from '../runtime/index.ts';
import type { RunServer } from './run_server_port.ts';
import { HEALTHY, remedyFor, type StoreHealth } from './store_health.ts';

export interface StoreWatchOptions {
  readonly clock: Clock;
  readonly server: RunServer;
  /** Time between writes that are sure to be made; each is told by `answered`. */
  readonly beatMs: number;
  readonly isConnected: () => boolean;
  readonly notice: (text: string) => void;
  /** Aborted when somebody asks for the run's end. */
  readonly interrupted: AbortSignal;
  readonly onStuck: (error: StoreStuck) => void;
  /** Free bytes of the disk that a folder is on; null where nobody can tell. For tests. */
  readonly freeBytes?: (folder: string) => Promise<number | null>;
}

/** The run cannot go on, since its steps cannot be recorded. */
export class StoreStuck extends Error {
  readonly tag = 'StoreStuck';
  readonly exitCode = 1;
  constructor(what: string, remedy: string) {
    super(`${what}; ${remedy}, then continue with --resume: what was checkpointed is safe`);
    this.name = 'StoreStuck';
  }
}

const TICK_MS = 1_000;
/** A longer pause between ticks is one of this process, and no sign of the server's. */
const LONGEST_TICK_MS = 2_000;

export class StoreWatch {
  readonly #options: StoreWatchOptions;
  #health: StoreHealth = HEALTHY;
  #tickedMs: number;
  #timer: Timer;
  #isOver = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
    this.#tickedMs = options.clock.now();
    this.#timer = options.clock.after(TICK_MS, () => this.#tick());
  }

  /** Hears that a write was answered. */
  answered(): void {
    const { told } = this.#health;
    this.#health = HEALTHY;
    if (told !== null && !this.#isOver) this.#options.notice(`${this.#place}: the store takes writes again`);
  }

  stop(): void {
    this.#isOver = true;
    this.#timer.cancel();
  }

  #tick(): void {
    const { clock, isConnected } = this.#options;
    const nowMs = clock.now();
    const passedMs = Math.min(nowMs - this.#tickedMs, LONGEST_TICK_MS);
    this.#tickedMs = nowMs;
    const { silentMs, hungMs, ...others } = this.#health;
    const hung = isConnected() ? hungMs + passedMs : hungMs;
    this.#health = { ...others, silentMs: silentMs + passedMs, hungMs: hung };
    void this.#treat().finally(() => {
      if (!this.#isOver) this.#timer = clock.after(TICK_MS, () => this.#tick());
    });
  }

  async #treat(): Promise<void> {
    const { server, beatMs, notice, interrupted, onStuck } = this.#options;
    const { own } = server;
    const before = this.#health;
    const free = own === null || before.silentMs < beatMs ? null : await this.#freeBytes(own.storeDir);
    // Answered meanwhile.
    if (this.#isOver || this.#health !== before) return;
    const surroundings = { freeBytes: free, isOwn: own !== null, isInterrupted: interrupted.aborted, beatMs };
    switch (remedyFor(before, surroundings)) {
      case 'wait':
        return;
      case 'tell-full':
        this.#health = { ...before, told: 'full' };
        return notice(`${this.#place}: the disk is full, so no step can be recorded; free space there: the run waits`);
      case 'tell-hung':
        this.#health = { ...before, told: 'hung' };
        return notice(
          `${this.#place}: the NATS server is there, and its store takes no writes; see its log and its disk: the run waits`,
        );
      case 'restart':
        this.#health = { ...before, hungMs: 0, restarts: before.restarts + 1, told: 'hung' };
        return own?.restart();
      case 'end':
        this.stop();
        onStuck(this.#error());
    }
  }

  #error(): StoreStuck {
    const { server, isConnected } = this.#options;
    if (this.#health.told === 'full') {
      return new StoreStuck(`${this.#place}: the disk is full, so no step can be recorded`, 'free space there');
    }
    const log = server.own === null ? 'its log and its disk' : (server.address.log ?? 'its log');
    if (!isConnected()) {
      const remedy = server.own === null ? 'start it' : `see ${log}`;
      return new StoreStuck(`${server.address.url}: the NATS server is away`, remedy);
    }
    return new StoreStuck(`${this.#place}: the store of the NATS server takes no writes`, `see ${log}`);
  }

  get #place(): string {
    const { own, address } = this.#options.server;
    return own?.storeDir ?? address.url;
  }

  /** Free bytes of a disk; null where it hangs and does not answer. */
  #freeBytes(folder: string): Promise<number | null> {
    const { clock, freeBytes = freeBytesOf } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.after(TICK_MS, () => resolve(null));
      void freeBytes(folder).then((bytes) => {
        timer.cancel();
        resolve(bytes);
      });
    });
  }
}

/** Free bytes for an ordinary user. */
async function freeBytesOf(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}
