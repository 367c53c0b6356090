/**
 * What packing the messages of a training step costs, and what share of the step the codec has. The args of all messages
 * of one step of the quickstart are packed and unpacked by msgpackr as the codec does it, trusted (within a node) and
 * checked (from another node), and by the packer that was here before, which always checked. Tensors lie aside on all
 * sides. In one process, by turns; medians. Then the same messages go through the whole codec, tensors and all.
 */
import { LocalTransport } from '../src/runtime/transport/local.ts';
import { Aside } from '../src/runtime/transport/aside.ts';
import { HeapFramePool } from '../src/runtime/index.ts';
import { Outgoing } from '../src/runtime/system/outgoing.ts';
import type { Endpoint } from '../src/runtime/system/transport_port.ts';
import { formatOf, SYSTEM_FORMAT } from '../src/runtime/transport/protocol_format.ts';
import { putBack } from '../src/runtime/transport/put_back.ts';
import { Scratch } from '../src/runtime/transport/scratch.ts';
import { Packer } from './peers/former_packer.ts';
import { Unpacker } from './peers/former_unpacker.ts';
import { machine, median } from './report.ts';
import { recordStep, type Recorded } from './step_envelopes.ts';

/** Each so short that other work on the machine falls between rounds, and not into most of them. */
const ROUNDS = 500;
/** As many bytes as the tensors of a message have at most; nothing is written there. */
const TENSOR_BYTES = 2 ** 24;

/** Packs and unpacks args; returns how many bytes they took. */
type Trip = (message: Recorded) => number;

export async function run(): Promise<void> {
  const { envelopes, stepMs } = await recordStep();
  const messages = envelopes.filter(({ args }) => args !== undefined);
  console.log(`${machine()}; ${envelopes.length} messages a step, ${messages.length} with args`);
  const sides = [byMsgpackr(true), byMsgpackr(false), byFormerPacker()];
  console.log(
    `${'us, packed and unpacked'.padEnd(34)}${'msgpackr'.padStart(10)}${'checked'.padStart(10)}${'former'.padStart(10)}`,
  );
  print('all, to warm up', messages, sides);
  for (const [kind, some] of Map.groupBy(messages, ({ route }) => `${route.kind} ${route.message}`)) {
    print(`${some.length} x ${kind}`, some, sides);
  }
  print('all', messages, sides);
  const bytes = sides.map((trip) => messages.reduce((sum, message) => sum + trip(message), 0));
  console.log(`bytes of args: ${bytes.join(', ')}`);
  printShare(envelopes, median(stepMs));
}

function print(name: string, messages: readonly Recorded[], sides: readonly Trip[]): void {
  const times = sides.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    sides.forEach((_, turn) => {
      const side = (turn + round) % sides.length;
      times[side].push(microseconds(messages, sides[side]));
    });
  }
  const [trusted, checked, former] = times.map(median);
  const ratios = [former / trusted, former / checked].map((ratio) => ratio.toFixed(2)).join(' and ');
  const columns = [trusted, checked, former].map((us) => us.toFixed(1).padStart(10)).join('');
  console.log(`${name.padEnd(34)}${columns}   ${ratios} x as fast`);
}

function microseconds(messages: readonly Recorded[], trip: Trip): number {
  const startMs = performance.now();
  for (const message of messages) trip(message);
  return (performance.now() - startMs) * 1000;
}

/** As `Codec` does it. */
function byMsgpackr(trusted: boolean): Trip {
  const scratch = new Scratch();
  const aside = new Aside();
  const bytes = new Uint8Array(TENSOR_BYTES);
  return ({ route, args }) => {
    const format = formatOf(route.kind === 'error' ? '' : route.protocol) ?? SYSTEM_FORMAT;
    const places = format.placesOf(route.message, route.kind);
    aside.clear();
    scratch.position = 0;
    format.packInto(scratch, places === null ? args : aside.take(args, places));
    const value = format.unpack(scratch.bytes, 0, scratch.position, trusted);
    const tensors = { bytes, start: 0, length: aside.arrayBytes, isCopied: false };
    if (places !== null) putBack(value, places, tensors, () => null);
    return scratch.position;
  };
}

function byFormerPacker(): Trip {
  const packer = new Packer(TENSOR_BYTES);
  const unpacker = new Unpacker();
  return ({ args }) => {
    packer.clear(0);
    packer.write(args);
    unpacker.open(packer.bytes, packer.view, 0, packer.arrayBytes, false);
    unpacker.read(0, packer.position);
    return packer.position;
  };
}

/** Sends all messages of the step through the transport of a thread, to an endpoint that lets their memory go. */
function printShare(envelopes: readonly Recorded[], stepMs: number): void {
  const transport = new LocalTransport({ pool: new HeapFramePool() });
  const endpoint: Endpoint = {
    outside: '@bench',
    receive: ({ lease }) => lease?.release(),
    malformed: (error) => console.error(error.message),
    lost: () => undefined,
    revive: (_, address) => ({ address }),
  };
  for (const { route } of envelopes) transport.register(route.to, endpoint);
  const out = new Outgoing();
  const send: Trip = ({ route, args }) => transport.send(Object.assign(out, { route, args }));
  const measure = (): number => median(Array.from({ length: ROUNDS }, () => microseconds(envelopes, send)));
  measure();
  const all = measure();
  const bytes = envelopes.reduce((sum, message) => sum + send(message), 0);
  console.log(
    `the whole codec, tensors copied: ${all.toFixed(0)} us of ${envelopes.length} messages, ${(bytes / 2 ** 20).toFixed(1)} MiB; ` +
      `${((100 * all) / (1000 * stepMs)).toFixed(2)} % of a step of ${stepMs.toFixed(0)} ms`,
  );
}
