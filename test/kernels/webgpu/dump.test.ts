/** `TROUPE_DUMP` on the WebGPU device. */
// @module-tag webgpu
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { add, f32, matmul, relu, trace } from '../../../src/kernels/index.ts';
import { openDevice } from './kit.ts';

it('writes a program and its shaders, as Dawn was given them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-dump-'));
  vi.stubEnv('TROUPE_DUMP', folder);
  try {
    const device = await openDevice();
    const specs = { x: f32([8, 8]), w: f32([8, 8]) };
    await device.compile(trace('layer', specs, ({ x, w }) => ({ y: relu(add(matmul(x, w), x)) })));
    await device.close();
    const files = readdirSync(folder).sort();
    expect(files.map((name) => name.replace(/-[0-9a-f]{8}/, ''))).toEqual(['layer.txt', 'layer.wgsl']);
    const [text, shaders] = files.map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(text).toContain('program layer');
    expect(shaders.match(/^\/\/ .*/gm)).toEqual(['// matmul', '// add + relu']);
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});
