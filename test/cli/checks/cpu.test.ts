import { expect, test } from 'vitest';
import { judgeCpu } from '../../../src/cli/checks/cpu.ts';

const value = {
  numericsClass: 'cpu/x64/A Processor/onnxruntime-1.30.0+wasm',
  correct: true,
  runsMs: [9, 1, 2, 3, 1],
  flops: 200_000_000,
};

test('right numbers are good, at the speed of the middle run', () => {
  expect(judgeCpu({ kind: 'answered', value, noise: '' })).toEqual({
    check: 'cpu',
    mark: 'ok',
    found: 'onnxruntime-1.30.0+wasm, 100 GFLOP/s a thread',
    mend: null,
    facts: { numerics_class: value.numericsClass, correct: true, gflops: 100 },
  });
});

test('without WebAssembly a run is slower, and the check says why', () => {
  const numericsClass = 'cpu/x64/A Processor/onnxruntime-1.30.0';
  expect(judgeCpu({ kind: 'answered', value: { ...value, numericsClass }, noise: '' })).toMatchObject({
    mark: 'warn',
    found:
      'onnxruntime-1.30.0, 100 GFLOP/s a thread, without generated code: WebAssembly has no SIMD or no threads here',
    mend: expect.stringContaining('--jitless') as string,
  });
});

test('wrong numbers are a failure', () => {
  expect(judgeCpu({ kind: 'answered', value: { ...value, correct: false }, noise: '' })).toMatchObject({
    mark: 'fail',
    found: 'onnxruntime-1.30.0+wasm multiplies two matrices wrongly',
    mend: expect.stringContaining('npm install') as string,
  });
});

test('a library that cannot be loaded is a failure with its reason', () => {
  expect(judgeCpu({ kind: 'failed', reason: 'it crashed (SIGILL)', noise: '' })).toMatchObject({
    mark: 'fail',
    found: 'onnxruntime cannot be used: it crashed (SIGILL)',
    mend: expect.stringContaining('npm install') as string,
    facts: { gflops: null },
  });
});
