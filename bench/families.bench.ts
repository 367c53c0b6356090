/**
 * Tokens a second of each small config (`configs/small`), two workers in one process, against PyTorch training a model of the same
 * sizes on as many tokens a step with two threads. Both sides in one run, by turns; medians of steps and of rounds. `npm run bench --
 * families [ROUNDS] [NAME ...]`. Torch's Mamba has its scan written out, step by step: its kernels are for CUDA.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { countParameters } from '../src/models/costs.ts';
import { modelConfigOf, traceSettingsOf } from '../src/models/from_topology.ts';
import { buildModel } from '../src/models/families/index.ts';
import { microbatchSequencesOf, parseTopology, type Topology } from '../src/topology/index.ts';
import { machine, median, roundsOf } from './report.ts';
import { measureRun } from './switch_run.ts';
import { torchFamily } from './torch_families.ts';
import type { TorchPlayed } from './torch_peer.ts';

const folder = new URL('../configs/small/', import.meta.url);
const WARM_UP = 4;
const STEPS = 12;
/** Of a peer whose steps may take seconds. */
const TORCH_STEPS = 4;

/** Rows of the byte tokenizer's embedding. */
const VOCABULARY = 256;

/** What is asked of a config, as a multiple of torch. */
const wantedOf = ({ model }: Topology): number => (/mamba/.test(model.architecture) ? 2 : 1.3);

export async function run([given, ...names]: readonly string[] = []): Promise<void> {
  const rounds = roundsOf(given, 3);
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const chosen = files
    .map((file) => file.replace('.yaml', ''))
    .filter((name) => names.length === 0 || names.includes(name));
  console.log(`families: ${machine()}, two workers against two threads, medians of ${rounds} rounds by turns`);
  for (const name of chosen) await race(name, rounds);
}

async function race(name: string, rounds: number): Promise<void> {
  const topology = parseTopology(readFileSync(new URL(`${name}.yaml`, folder), 'utf8'), `${name}.yaml`);
  const config = modelConfigOf(topology, topology.model.vocab_size ?? VOCABULARY);
  const batch = microbatchSequencesOf(topology);
  const { total } = countParameters(buildModel({ config, settings: traceSettingsOf(topology, batch) }), config);
  const { global_batch_size: sequences, sequence_length: sequence } = topology.training;
  const settings = {
    'cluster.nats.url': 'none',
    'cluster.workers_per_node': 2,
    'training.steps': WARM_UP + STEPS,
    'training.eval_interval': 0,
    'checkpoint.interval': 0,
    'optimizer.warmup_steps': 0,
  };
  const ours: number[] = [];
  const theirs: TorchPlayed[] = [];
  for (let round = 0; round < rounds; round++) {
    const { stepMs } = await measureRun(settings, WARM_UP, undefined, `small/${name}`);
    ours.push((1000 * sequences * sequence) / stepMs);
    const given = { threads: 2, batch, sequence, microbatches: sequences / batch };
    theirs.push(await torchFamily(config, given, TORCH_STEPS));
  }
  const [{ peer, params }] = theirs;
  const ratios = ours.map((speed, round) => speed / theirs[round].tokens_per_s);
  console.log(
    `  ${name}: ${(total / 1e6).toFixed(2)} M parameters, ${median(ours).toFixed(0)} tokens/s; ${peer} (${(params / 1e6).toFixed(2)} M) ` +
      `${median(theirs.map(({ tokens_per_s: speed }) => speed)).toFixed(0)}, cpu/wall ${median(theirs.map(({ cpu_per_wall: used }) => used)).toFixed(2)}; ` +
      `ratio ${median(ratios).toFixed(2)} (wanted: ${wantedOf(topology)})`,
  );
}
