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
  const text = (name: string): string => readFileSync(join(folder, 'new', name), 'utf8');
  expect(readdirSync(join(folder, 'new')).sort()).toEqual([
    'tower.0.onnx',
    'tower.0.onnx.txt',
    'tower.txt',
    'tower.wat',
  ]);
  expect(text('tower.txt')).toMatch(/program tower[^]*segment 0: onnx[^]*matmul[^]*segment 1: wasm[^]*add[^]*relu/);
  expect(text('tower.wat')).toContain(';; add, relu');
  expect(text('tower.0.onnx.txt')).toMatch(/FusedMatMul\(v0, v0\) transA=0 transB=0 alpha=1/);
});

it('writes nothing unless asked', async () => {
  const device = new CpuDevice({ bytes: 2 ** 20 });
  await device.compile(trace('tower', { x: f32([8, 8]) }, ({ x }) => ({ y: relu(x) })));
  await device.close();
  expect(() => readdirSync(folder)).toThrow('ENOENT');
});
