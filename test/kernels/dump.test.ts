/** `TROUPE_DUMP`: what a program becomes, as files. */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { CpuDevice, add, f32, matmul, relu, trace } from '../../src/kernels/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-dump-'));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

it('writes the ops, the split, the code and the models of each program', async () => {
  vi.stubEnv('TROUPE_DUMP', join(folder, 'new'));
  const device = new CpuDevice({ bytes: 2 ** 20 });
  const square = f32([8, 8]);
  await device.compile(trace('tower', { x: square, b: square }, ({ x, b }) => ({ y: relu(add(matmul(x, x), b)) })));
  await device.close();
  const files = readdirSync(join(folder, 'new')).sort();
  const suffixes = ['.0.onnx', '.0.onnx.txt', '.txt', '.wat'];
  const [stem] = /^tower-[0-9a-f]{8}/.exec(files[0]) ?? [];
  expect(files).toEqual(suffixes.map((suffix) => `${stem}${suffix}`));
  const text = (suffix: string): string => readFileSync(join(folder, 'new', `${stem}${suffix}`), 'utf8');
  expect(text('.txt')).toMatch(/program tower[^]*segment 0: onnx[^]*matmul[^]*segment 1: wasm[^]*add[^]*relu/);
  expect(text('.wat')).toContain(';; add, relu');
  expect(text('.0.onnx.txt')).toMatch(/FusedMatMul\(v0, v0\) transA=0 transB=0 alpha=1/);
});

it('keeps programs of one name and other shapes apart', async () => {
  vi.stubEnv('TROUPE_DUMP', folder);
  const device = new CpuDevice({ bytes: 2 ** 20 });
  for (const size of [8, 16]) await device.compile(trace('one', { x: f32([size]) }, ({ x }) => ({ y: relu(x) })));
  await device.close();
  expect(readdirSync(folder).filter((name) => name.endsWith('.wat'))).toHaveLength(2);
});

it('writes nothing unless asked', async () => {
  const device = new CpuDevice({ bytes: 2 ** 20 });
  await device.compile(trace('tower', { x: f32([8, 8]) }, ({ x }) => ({ y: relu(x) })));
  await device.close();
  expect(() => readdirSync(folder)).toThrow('ENOENT');
});
