/** A resolved config written out and read again. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dumpTopology, parseTopology, rebaseTopology, toPlain } from '../../src/topology/index.ts';

const configOf = (name: string): string => readFileSync(new URL(`../../configs/${name}.yaml`, import.meta.url), 'utf8');

test.each(['quickstart', 'quickstart-dense'])('%s, written out and read again, is the same topology', (name) => {
  const topology = parseTopology(configOf(name), name);
  expect(parseTopology(dumpTopology(topology), 'config.yaml')).toEqual(topology);
  expect(parseTopology(JSON.stringify(toPlain(topology)), 'manifest')).toEqual(topology);
});

test('every key is written, sizes with their units', () => {
  const written: unknown = parse(dumpTopology(parseTopology('', 'run.yaml')));
  expect(written).toMatchObject({
    cluster: { memory_per_worker: '2GiB' },
    moe: { capacity_factor: 1.25 },
    optimizer: { eps: 1e-8, betas: [0.9, 0.95] },
    data: { blend: [{ max_file_bytes: '1MiB' }] },
  });
});

test('the quickstarts differ in their experts only', () => {
  const {
    name: _a,
    model: sparseModel,
    moe: _b,
    parallelism: _c,
    ...sparse
  } = parseTopology(configOf('quickstart'), 'a');
  const {
    name: _d,
    model: denseModel,
    moe,
    parallelism: _e,
    ...dense
  } = parseTopology(configOf('quickstart-dense'), 'b');
  expect(dense).toEqual(sparse);
  expect({ ...denseModel, architecture: 'switch' }).toEqual(sparseModel);
  expect(moe).toBeUndefined();
});

describe('moved to another folder', () => {
  test('a file whose rows stand for a blend can be read again', () => {
    const moved = rebaseTopology(
      parseTopology('data: { rows: chats.jsonl }', 'run.yaml'),
      '/texts/configs',
      '/texts/runs/one',
    );
    const { data } = parseTopology(dumpTopology(moved), 'config.yaml');
    expect(data.rows).toBe('../../configs/chats.jsonl');
  });

  test('relative paths and globs mean the same', () => {
    const text = `from: ../runs/base
moe: { record: routing, replay: ../runs/base/routing }
data:
  tokenizer: hf:tok/tokenizer.json
  cache_dir: ../runs/.corpora
  blend: [ { name: a, glob: ['../x/**/*.md', /abs/*.md], exclude: y.md } ]`;
    const moved = rebaseTopology(parseTopology(text, 'run.yaml'), '/texts/configs', '/texts/runs/one');
    expect(moved.from).toBe('../base');
    // What a run writes is in its directory.
    expect(moved.moe).toMatchObject({ record: 'routing', replay: '../base/routing' });
    expect(moved.data).toMatchObject({
      tokenizer: 'hf:../../configs/tok/tokenizer.json',
      cache_dir: '../.corpora',
      blend: [{ glob: ['../../x/**/*.md', '/abs/*.md'], exclude: '../../configs/y.md' }],
    });
  });

  test('so do those of evaluations', () => {
    const text =
      'evaluations: [ { name: a, data: { rows: x/*.jsonl } }, { name: b, data: { blend: [ { name: c, glob: y } ] } } ]';
    const moved = rebaseTopology(parseTopology(text, 'run.yaml'), '/texts/configs', '/texts/runs');
    expect(moved.evaluations.map(({ data }) => data)).toMatchObject([
      { rows: '../configs/x/*.jsonl' },
      { blend: [{ name: 'c', glob: '../configs/y' }] },
    ]);
    expect(moved.evaluations[0].data).not.toHaveProperty('blend');
  });

  test('the bytes tokenizer stays what it is', () => {
    const moved = rebaseTopology(parseTopology('', 'run.yaml'), '/a', '/b');
    expect(moved.data.tokenizer).toBe('bytes');
    expect(moved.data.blend[0]).not.toHaveProperty('exclude');
  });
});
