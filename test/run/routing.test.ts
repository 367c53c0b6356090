/** Runs that keep a record of what tokens chose, and runs that take choices from one. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/run/run_port.ts';
import { bitsOf, eventsOf, recordOf, RunFolder, type Played, type Settings } from './run_kit.ts';

const folder = new RunFolder();
afterAll(() => folder[Symbol.dispose]());

const kept = { 'moe.record': 'routing' };
const routingOf = ({ runDir }: Pick<Played, 'runDir'>): string => join(runDir, 'routing');
const filesOf = (path: string): Record<string, string> =>
  Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')]));

let first: Played;
beforeAll(async () => {
  first = await folder.play(kept);
});

/** A copy of the record, to be spoiled. */
function copied(): string {
  const path = mkdtempSync(join(folder.path, 'copy-'));
  cpSync(routingOf(first), path, { recursive: true });
  return path;
}

const damaged = (change: (text: string) => string): string => {
  const path = copied();
  const file = join(path, 'l1-d0.jsonl');
  writeFileSync(file, change(readFileSync(file, 'utf8')));
  return path;
};

describe('a record of routing', () => {
  it('changes no bit, and has every microbatch of training and evaluations once', async () => {
    expect(bitsOf(first)).toEqual(bitsOf(await folder.play({})));
    const [header, ...lines] = Object.values(filesOf(routingOf(first))).flatMap((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    );
    expect(header).toMatchObject({ version: 1, mixture: '1', experts: 4, choices: 1, microbatches: 4 });
    const units = lines
      .filter(({ kind }) => kind !== undefined)
      .map(({ kind, step, microbatch }) => `${String(kind)} ${String(step)} ${String(microbatch)}`);
    const expected = [0, 1, 2, 3].flatMap((microbatch) => [
      ...[0, 1, 2, 3].map((step) => `train ${step} ${microbatch}`),
      ...[2, 4].map((step) => `score ${step} ${microbatch}`),
    ]);
    expect(units.sort()).toEqual(expected.sort());
  });

  it('goes on with the run, each step once, whatever it had beyond the checkpoint', async () => {
    const runDir = mkdtempSync(join(folder.path, 'again-'));
    rmSync(runDir, { recursive: true });
    cpSync(first.runDir, runDir, { recursive: true });
    const newest = readdirSync(join(runDir, 'checkpoints')).filter((name) => name.startsWith('step-000004'));
    for (const name of newest) rmSync(join(runDir, 'checkpoints', name), { recursive: true });
    const again = await folder.play(kept, { resume: runDir });
    expect(again.digest).toEqual(first.digest);
    expect(eventsOf(runDir, 'resumed')).toEqual([expect.objectContaining({ step: 2 })]);
    expect(filesOf(routingOf(again))).toEqual(filesOf(routingOf(first)));
  });

  it('that cannot be written is said once, and the run goes on', async () => {
    const elsewhere = join(folder.path, 'elsewhere');
    const lines: string[] = [];
    const watch = (event: RunEvent): void => {
      // What is in the place of its files when they are to be opened.
      if (event.kind === 'ready') for (const rank of [0, 1]) mkdirSync(join(elsewhere, `l1-d${rank}.jsonl`));
      if (event.kind === 'notice') lines.push(event.text);
    };
    const threads = { 'cluster.workers_per_node': 2, 'moe.record': elsewhere };
    const played = await folder.play(threads, { watch });
    expect(bitsOf(played)).toEqual(bitsOf(first));
    expect(lines).toEqual([
      expect.stringMatching(
        /^moe\.record: .*l1-d\d\.jsonl: cannot be written \(EISDIR\); the record ends before step 1, and the run goes on; remove what is in its place, and resume from a checkpoint before that to have it whole$/,
      ),
    ]);
    expect(eventsOf(played.runDir, 'unrecorded')).toEqual([{ what: lines[0] }]);
  });
});

describe('recorded choices', () => {
  it('give a run the bits that it had', async () => {
    expect(bitsOf(await folder.play({ 'moe.replay': routingOf(first) }))).toEqual(bitsOf(first));
  });

  it('are found by microbatch, however the run is divided', async () => {
    const spread: Settings[] = [
      { 'parallelism.data_parallel': 1, 'parallelism.micro_batches': 4, 'parallelism.expert_parallel': 1 },
      { 'parallelism.data_parallel': 4, 'parallelism.micro_batches': 1, 'cluster.workers_per_node': 2 },
    ];
    for (const mesh of spread) {
      const played = await folder.play({ ...mesh, ...kept, 'moe.replay': routingOf(first) });
      expect(bitsOf(played)).toEqual(bitsOf(first));
      expect(recordOf(played)).toEqual(recordOf(first));
    }
  });

  it('are taken by routers that would choose otherwise', async () => {
    const other = await folder.play({ 'training.seed': 7 });
    const weights = { from: other.runDir };
    const loads = ({ curve }: Played): unknown[] => curve.map(({ expert_load }) => expert_load);
    expect(loads(await folder.play(weights))).not.toEqual(loads(first));
    const taken = await folder.play({ ...weights, 'moe.replay': routingOf(first) });
    expect(loads(taken)).toEqual(loads(first));
    expect(taken.digest).not.toEqual(first.digest);
  });

  const anew = 'so that its choices are of other tokens or experts; take what it was recorded with, or record anew';
  it.each<[string, () => Settings, string]>([
    [
      'a folder that is not there',
      () => ({ 'moe.replay': 'nowhere' }),
      'nowhere: there is no such folder; name the folder that moe.record of another run wrote',
    ],
    [
      'a folder without a record',
      () => ({ 'moe.replay': '.' }),
      'it has no record of mixture 1; name the folder that moe.record of another run wrote',
    ],
    [
      'other data',
      () => ({ 'training.seed': 2 }),
      `l1-d0.jsonl:1: training.seed was 1 when it was recorded and is 2 now, ${anew}`,
    ],
    [
      'other microbatches',
      () => ({ 'parallelism.micro_batches': 4 }),
      `parallelism.data_parallel x micro_batches was 4 when it was recorded and is 8 now, ${anew}`,
    ],
    [
      'other experts',
      () => ({ 'moe.num_experts': 8 }),
      `moe.num_experts was 4 when it was recorded and is 8 now, ${anew}`,
    ],
    [
      'another model',
      () => ({ 'model.hidden_size': 64 }),
      `model, or moe.every_n_layers was another when it was recorded, ${anew}`,
    ],
    [
      'more steps',
      () => ({ 'training.steps': 6, 'training.eval_interval': 0 }),
      'it has no choices of mixture 1 in microbatch 0 of step 5; record as many steps, or set training.steps to 4',
    ],
    [
      'other evaluations',
      () => ({ 'training.eval_interval': 1 }),
      'it has no choices of mixture 1 in microbatch 0 of evaluation held_out after step 1; evaluate when and as much',
    ],
    [
      'a changed letter',
      () => ({ 'moe.replay': damaged((text) => text.replace(/"choices":"./, '"choices":"+')) }),
      'l1-d0.jsonl:2: crc: the line is not as it was written; restore the file, or record anew',
    ],
    [
      'a line of something else',
      () => ({ 'moe.replay': damaged((text) => text.replace('\n', '\nabc\n')) }),
      'l1-d0.jsonl:2: no choices of a microbatch; restore the file',
    ],
    [
      'a header of something else',
      () => ({ 'moe.replay': damaged((text) => text.replace('"version":1', '"version":2')) }),
      'l1-d0.jsonl:1: version: ',
    ],
    [
      'a line that was lost',
      () => ({ 'moe.replay': damaged((text) => text.split('\n').toSpliced(1, 1).join('\n')) }),
      'it has no choices of mixture 1 in microbatch 0 of step 1;',
    ],
  ])('are refused before training: %s', async (_what, settings, message) => {
    const refused = folder.play({ 'moe.replay': routingOf(first), ...settings() });
    await expect(refused).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(message) as unknown });
  });
});

it('a resume may keep no record, and lay a taken one elsewhere, but not choose by itself', async () => {
  const short = { 'training.steps': 2, 'training.eval_interval': 2 };
  const { runDir } = await folder.play({ ...short, ...kept, 'moe.replay': routingOf(first) });
  const choosing = folder.play({}, { resume: runDir });
  await expect(choosing).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('moe.replay was "a record" and is absent now') as unknown,
  });
  const resumed = await folder.play({ 'moe.replay': copied(), 'moe.metrics': 'full' }, { resume: runDir });
  expect(resumed.digest).toEqual(first.digest);
});

it('a record is never written into that of another run', async () => {
  const refused = folder.play({ 'moe.record': routingOf(first) });
  await expect(refused).rejects.toThrow(
    `moe.record: ${routingOf(first)}: it has a record already (l1-d0.jsonl); name another folder, or remove that record`,
  );
});
