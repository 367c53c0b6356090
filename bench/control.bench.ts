/**
 * What the control plane does by the number of experts: messages of the control lane in a training step and in a
 * checkpoint, by kind, and the files of a checkpoint, for 64 and for 512 experts in one layer, on a node of two workers and
 * on two nodes of one. Counted in every thread of runs of the command, not timed. A ratio of 8 is a message an expert, of 1
 * one a system; those between systems pass from thread to thread, or from node to node. Beats and decisions, which go to
 * the store, are not among them.
 */
import { pathToFileURL } from 'node:url';
import { countRun, type Counted, type Layout, type Messages } from './control_counts.ts';
import { machine } from './report.ts';

const EXPERTS = [64, 512] as const;
const NONE: Messages = { all: 0, betweenSystems: 0 };
const STEPS = 4;
const layouts: readonly (readonly [name: string, Layout])[] = [
  ['a node of 2 workers', { nodes: 1, workers: 2 }],
  ['2 nodes of 1 worker', { nodes: 2, workers: 1 }],
];

/** What one more step, and one more checkpoint, take. */
interface Cost {
  readonly systems: number;
  readonly step: ReadonlyMap<string, Messages>;
  readonly checkpoint: ReadonlyMap<string, Messages>;
  readonly files: number;
  readonly kib: number;
}

export async function run(): Promise<void> {
  console.log(`control: ${machine()}, ${EXPERTS.join(' and ')} experts in one layer; messages of the control lane`);
  for (const [name, layout] of layouts) {
    const few = await costOf(EXPERTS[0], layout);
    const many = await costOf(EXPERTS[1], layout);
    console.log(`  ${name}: ${many.systems} systems`);
    printTable('a step', few.step, many.step);
    printTable('a checkpoint', few.checkpoint, many.checkpoint);
    console.log(`    ${'files of a checkpoint'.padEnd(24)}${cells(few.files, many.files)}`);
    console.log(`    ${'KiB of a checkpoint'.padEnd(24)}${cells(few.kib, many.kib)}`);
  }
}

async function costOf(experts: number, layout: Layout): Promise<Cost> {
  const short = await countRun(experts, layout, { steps: 2, checkpointInterval: 0 });
  const long = await countRun(experts, layout, { steps: 2 + STEPS, checkpointInterval: 0 });
  // It has one after its first step, too.
  const saved = await countRun(experts, layout, { steps: 2, checkpointInterval: 1 });
  const { systems, files, bytes } = short;
  const kib = Math.round(bytes / 1024);
  return { systems, step: difference(long, short, STEPS), checkpoint: difference(saved, short, 1), files, kib };
}

/** By kind, what `more` has beyond `less`, a `times`-th of it. */
function difference(more: Counted, less: Counted, times: number): ReadonlyMap<string, Messages> {
  const kinds = [...more.control].map(([kind, { all, betweenSystems }]): [string, Messages] => {
    const before = less.control.get(kind) ?? NONE;
    return [
      kind,
      { all: (all - before.all) / times, betweenSystems: (betweenSystems - before.betweenSystems) / times },
    ];
  });
  return new Map(kinds.filter(([, { all }]) => all !== 0));
}

function printTable(title: string, few: ReadonlyMap<string, Messages>, many: ReadonlyMap<string, Messages>): void {
  const experts = `${EXPERTS.join(', ')} experts`.padStart(18);
  console.log(`    ${title.padEnd(24)}${experts}${'ratio'.padStart(8)}    between systems${'ratio'.padStart(8)}`);
  const print = (name: string, a: Messages, b: Messages): void =>
    console.log(`    ${name.padEnd(24)}${cells(a.all, b.all)}${cells(a.betweenSystems, b.betweenSystems)}`);
  const ofMany = (kind: string): number => (many.get(kind) ?? NONE).all;
  const kinds = [...new Set([...many.keys(), ...few.keys()])].sort();
  for (const kind of kinds.sort((a, b) => ofMany(b) - ofMany(a))) {
    print(`  ${kind}`, few.get(kind) ?? NONE, many.get(kind) ?? NONE);
  }
  print('  all kinds', sum(few), sum(many));
}

function sum(kinds: ReadonlyMap<string, Messages>): Messages {
  return [...kinds.values()].reduce(
    (total, { all, betweenSystems }) => ({
      all: total.all + all,
      betweenSystems: total.betweenSystems + betweenSystems,
    }),
    NONE,
  );
}

/** Two counts and their ratio. */
function cells(few: number, many: number): string {
  const ratio = few === 0 ? '' : (many / few).toFixed(1);
  return `${few}, ${many}`.padStart(18) + ratio.padStart(8);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
