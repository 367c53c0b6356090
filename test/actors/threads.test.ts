/** A run over worker threads draws the curve of the run in one thread, and says what went wrong in a worker. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/actors/run.ts';
import type { RunEvent, RunOutcome } from '../../src/actors/run_port.ts';
import { hashU32 } from '../../src/data/index.ts';
import { parseTopology } from '../../src/topology/index.ts';

const yaml = `
name: small
model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 32 }
moe: { num_experts: 4 }
parallelism: { data_parallel: 2, expert_parallel: 2, micro_batches: 2 }
training: { steps: 4, global_batch_size: 8, sequence_length: 32, eval_interval: 2, eval_sequences: 8 }
optimizer: { lr: 1.0e-2, min_lr: 1.0e-3, warmup_steps: 1 }
checkpoint: { interval: 2 }
cluster: { memory_per_worker: 64MiB }
data: { held_out: 0.2, blend: [ { name: words, glob: "*.txt" } ] }
`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-threads-'));
  const words = ['actor', 'expert', 'router', 'stage', 'token', 'slot', 'gate', 'loss'];
  const text = Array.from({ length: 20_000 }, (_, i) => words[hashU32(1, i) % words.length]).join(' ');
  writeFileSync(join(folder, 'words.txt'), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Played {
  readonly outcome: RunOutcome;
  readonly curve: unknown;
  readonly digest: unknown;
  readonly events: readonly RunEvent[];
}

async function play(name: string, settings: Readonly<Record<string, unknown>>, resume = false): Promise<Played> {
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const topology = parseTopology(yaml, 'small.yaml', overrides);
  const runDir = mkdtempSync(join(folder, `${name}-`));
  const events: RunEvent[] = [];
  const { signal } = new AbortController();
  const outcome = await run({
    topology,
    baseDir: folder,
    runDir,
    resume,
    signal,
    observe: (event) => events.push(event),
  });
  const lines = readFileSync(join(runDir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const curve = lines.map((line) => {
    const {
      tokens_per_second: _1,
      step_ms: _2,
      bytes_sent: _3,
      workers: _4,
      ...rest
    } = JSON.parse(line) as Record<string, unknown>;
    return rest;
  });
  const manifest = readFileSync(join(runDir, 'checkpoints', 'step-000004.g1', 'manifest.json'), 'utf8');
  const { extra } = JSON.parse(manifest) as { extra: { params_digest: string } };
  return { outcome, curve, digest: extra.params_digest, events };
}

it('is the same bits on 1, 2, 3 and 4 workers', async () => {
  const alone = await play('alone', {});
  expect(alone.outcome.status).toBe('done');
  for (const workers of [2, 3, 4]) {
    const spread = await play(`workers-${workers}`, { 'cluster.workers_per_node': workers });
    expect(spread.curve).toEqual(alone.curve);
    expect(spread.digest).toBe(alone.digest);
    expect(spread.outcome.evalLoss).toBe(alone.outcome.evalLoss);
    const text = (played: Played): unknown => played.events.find((event) => event.kind === 'sample');
    expect(text(spread)).toEqual(text(alone));
  }
});

it('says which worker has too little memory, and for what', async () => {
  const settings = { 'cluster.workers_per_node': 2, 'cluster.memory_per_worker': 2 ** 20 };
  await expect(play('small-memory', settings)).rejects.toThrow(/worker-[01].*no room for .*asked .* of a budget of/);
});
