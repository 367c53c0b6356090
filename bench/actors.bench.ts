/**
 * What a message costs, ours against nact, in one thread. Ours runs with its production settings: every message and every
 * answer is encoded and decoded. nact passes objects as they are, so its messages and answers are packed and unpacked by
 * msgpackr with shared structures: both sides do the same work, in the same process, by turns; medians of five runs.
 * Tells go in bursts of 1,000, each burst awaited.
 */

import { pathToFileURL } from 'node:url';
import { Packr } from 'msgpackr/pack';
import { dispatch, query, spawn, start } from 'nact';
import { z } from 'zod';
import { ask, createLocalSystem, defineProtocol, tell } from '../src/runtime/index.ts';
import { machine, median } from './report.ts';

const ROUNDS = 5;
const TELLS = 200_000;
const ASKS = 50_000;
const BURST = 1_000;
const TIMEOUT_MS = 5_000;

const benchProtocol = defineProtocol('bench', {
  bump: tell(),
  add: tell({ args: z.object({ n: z.number() }) }),
  get: ask({ reply: z.number() }),
});

/** Counts messages; `burst` resolves when as many as it says have come. */
class Tally {
  #count = 0;
  #goal = Infinity;
  #reached: () => void = () => undefined;
  sum = 0;

  add(n: number): void {
    this.sum += n;
    this.#count += 1;
    if (this.#count === this.#goal) this.#reached();
  }

  burst(messages: number): Promise<void> {
    this.#goal = this.#count + messages;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }
}

/** One contestant: what it does for each measured case. */
interface Side {
  readonly bump: () => void;
  readonly add: (n: number) => void;
  readonly get: () => Promise<unknown>;
  readonly tally: Tally;
  stop(): Promise<void>;
}

function ours(): Side {
  const system = createLocalSystem();
  const tally = new Tally();
  const counter = system.spawn(benchProtocol, 'bench/counter', () => ({
    bump: () => tally.add(1),
    add: ({ n }) => tally.add(n),
    get: () => tally.sum,
  }));
  return {
    bump: () => counter.tell.bump(),
    add: (n) => counter.tell.add({ n }),
    get: () => counter.ask.get(undefined, { timeoutMs: TIMEOUT_MS }),
    tally,
    stop: () => system.stop(),
  };
}

/** What is packed for nact. */
interface Message {
  readonly kind: 'bump' | 'add' | 'get';
  readonly n?: number;
}

const isMessage = (value: unknown): value is Message => typeof value === 'object' && value !== null && 'kind' in value;

function nacts(): Side {
  const system = start();
  const tally = new Tally();
  const packr = new Packr({ structures: [['kind'], ['kind', 'n']], maxOwnStructures: 0, mapsAsObjects: true });
  const pack = (message: Message): Uint8Array => packr.pack(message);
  const unpack = (bytes: Uint8Array): Message => {
    const message: unknown = packr.unpack(bytes);
    if (!isMessage(message)) throw new TypeError('no message');
    return message;
  };
  const counter = spawn(system, (_state: undefined, { bytes, sender }: { bytes: Uint8Array; sender?: object }) => {
    const { kind, n = 1 } = unpack(bytes);
    if (kind === 'get' && sender !== undefined) dispatch(sender, packr.pack(tally.sum));
    else tally.add(n);
    return undefined;
  });
  return {
    bump: () => dispatch(counter, { bytes: pack({ kind: 'bump' }) }),
    add: (n) => dispatch(counter, { bytes: pack({ kind: 'add', n }) }),
    async get() {
      const ask = (sender: object) => ({ bytes: pack({ kind: 'get' }), sender });
      const answer: unknown = await query(counter, ask, TIMEOUT_MS);
      if (!(answer instanceof Uint8Array)) throw new TypeError('no answer');
      const sum: unknown = packr.unpack(answer);
      return sum;
    },
    tally,
    stop: () => Promise.resolve(),
  };
}

interface Case {
  readonly name: string;
  readonly messages: number;
  run(side: Side): Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: 'tell, no args',
    messages: TELLS,
    async run({ tally, bump }) {
      for (let sent = 0; sent < TELLS; sent += BURST) {
        const done = tally.burst(BURST);
        for (let i = 0; i < BURST; i++) bump();
        await done;
      }
    },
  },
  {
    name: 'tell {n}',
    messages: TELLS,
    async run({ tally, add }) {
      for (let sent = 0; sent < TELLS; sent += BURST) {
        const done = tally.burst(BURST);
        for (let i = 0; i < BURST; i++) add(sent + i);
        await done;
      }
    },
  },
  {
    name: 'ask, one after another',
    messages: ASKS,
    async run({ get }) {
      for (let i = 0; i < ASKS; i++) await get();
    },
  },
  {
    name: 'ask, 1,000 in flight',
    messages: ASKS,
    async run({ get }) {
      for (let sent = 0; sent < ASKS; sent += BURST) await Promise.all(Array.from({ length: BURST }, get));
    },
  },
];

async function nanosecondsEach(each: Case, side: Side): Promise<number> {
  const startMs = performance.now();
  await each.run(side);
  return ((performance.now() - startMs) / each.messages) * 1e6;
}

/**
 * nact names each waiting query by 32 random bits: of 1,000 in flight two may share a name, and one is never answered.
 * Such a round is repeated.
 */
async function nactNanosecondsEach(each: Case, side: Side): Promise<number> {
  try {
    return await nanosecondsEach(each, side);
  } catch {
    console.log(`  ${each.name}: nact lost a query; its round is repeated`);
    return nactNanosecondsEach(each, side);
  }
}

/** Prints both sides of every case, in ns a message, and how many times faster ours is. */
export async function run(): Promise<void> {
  console.log(`${machine()}; nact with msgpackr; medians of ${ROUNDS} interleaved runs`);
  const us = ours();
  const nact = nacts();
  for (const each of CASES) {
    const results: { us: number; nact: number }[] = [];
    // The first round warms both up and is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      const result = { us: await nanosecondsEach(each, us), nact: await nactNanosecondsEach(each, nact) };
      if (round > 0) results.push(result);
    }
    const [a, b] = [median(results.map((r) => r.us)), median(results.map((r) => r.nact))];
    const columns = [`${a.toFixed(0)} ns`, `nact ${b.toFixed(0)} ns`, `ratio ${(b / a).toFixed(1)}`];
    console.log(`  ${each.name.padEnd(24)}${columns.map((c) => c.padStart(14)).join('')}`);
  }
  await us.stop();
  await nact.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
