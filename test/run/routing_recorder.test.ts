/** What one router writes of its choices, and what is read back. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { PassKind, Unit } from '../../src/actors/protocol/pass.ts';
import { RecordedChoices } from '../../src/run/recorded_choices.ts';
import { recordPath, type RecordHeader } from '../../src/run/routing_format.ts';
import { RoutingRecorder } from '../../src/run/routing_recorder.ts';

const root = mkdtempSync(join(tmpdir(), 'troupe-record-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const header: RecordHeader = {
  version: 1,
  run: 'a run',
  model: 'a model',
  corpora: 'texts',
  evaluations: {},
  seed: 1,
  batch: 2,
  sequence: 2,
  microbatches: 2,
  experts: 65_536,
  choices: 2,
  mixture: '3.in proj/ä',
};
const unitOf = (step: number, microbatch: number, kind: PassKind = 'train'): Unit => ({
  kind,
  data: 'training',
  step,
  microbatch,
});
const choices = Int32Array.of(0, 65_535, 3, 2);

function recorder(name: string) {
  const folder = mkdtempSync(join(root, name));
  const path = recordPath(folder, header.mixture, 0);
  return {
    folder,
    path,
    recorder: new RoutingRecorder(path, header),
    lines: () => readFileSync(path, 'utf8').trimEnd().split('\n').length,
  };
}

it('a mixture of any name, and experts of any number, are read back', async () => {
  const { folder, recorder: own } = recorder('back-');
  own.note(unitOf(0, 1), choices);
  own.note(unitOf(0, 0), choices.toReversed());
  expect(own.flush()).toBeNull();
  own.close();
  const read = await RecordedChoices.open(folder, { ...header, run: 'another run' });
  expect(await read.read(unitOf(0, 1))).toEqual(choices);
  expect(await read.read(unitOf(0, 0))).toEqual(choices.toReversed());
  expect(read.has(unitOf(1, 0))).toBe(false);
});

it('a step that is made again is written once, and one that was left not at all', () => {
  const { recorder: own, lines } = recorder('again-');
  own.note(unitOf(0, 0), choices);
  own.flush();
  own.note(unitOf(0, 0), choices);
  own.flush();
  expect(lines()).toBe(2);
  own.note(unitOf(1, 0), choices);
  own.drop();
  own.flush();
  expect(lines()).toBe(2);
  own.note(unitOf(1, 0), choices);
  own.flush();
  own.close();
  expect(lines()).toBe(3);
});

it('texts that are made and observations leave nothing', () => {
  const { recorder: own, folder } = recorder('none-');
  own.note(unitOf(0, 0, 'decode'), choices);
  own.note(unitOf(0, 0, 'observe'), choices);
  expect(own.flush()).toBeNull();
  expect(() => readFileSync(recordPath(folder, header.mixture, 0))).toThrow('ENOENT');
});

it('what a killed run left of a line is no line, for whoever reads and whoever goes on', async () => {
  const { folder, path, recorder: own } = recorder('torn-');
  own.note(unitOf(0, 0), choices);
  own.flush();
  own.close();
  appendFileSync(path, '{"kind":"train","da');
  expect((await RecordedChoices.open(folder, header)).has(unitOf(0, 0))).toBe(true);
  const next = new RoutingRecorder(path, header);
  next.note(unitOf(1, 0), choices);
  next.flush();
  next.close();
  const read = await RecordedChoices.open(folder, header);
  expect(await read.read(unitOf(1, 0))).toEqual(choices);
});

it('steps that are made again from an earlier checkpoint are written again, and no others', () => {
  const { path, recorder: own } = recorder('rewound-');
  for (const step of [0, 1, 2]) own.note(unitOf(step, 0), choices);
  own.note(unitOf(2, 0, 'score'), choices);
  own.flush();
  const steps = (): number[] => {
    const [, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.map((line) => (JSON.parse(line) as { step: number }).step);
  };
  expect(steps()).toEqual([0, 1, 2, 2]);
  own.rewind(2);
  // A step that the checkpoint has is not made again; one in another gen may be.
  for (const step of [1, 2]) own.note(unitOf(step, 0), choices);
  own.note(unitOf(2, 0, 'score'), choices);
  own.flush();
  own.close();
  expect(steps()).toEqual([0, 1, 2, 2, 2]);
});
