import { expect, test } from 'vitest';
import { judgeCpu } from '../../../src/cli/checks/cpu.ts';

const value = {
  numericsClass: 'cpu/x64/A Processor/onnxruntime-1.30.0',
  correct: true,
  runsMs: [9, 1, 2, 3, 1],
  flops: 200_000_000,
};

test('right numbers are good, at the speed of the middle run', () => {
  expect(judgeCpu({ kind: 'answered', value, noise: '' })).toEqual({
    check: 'cpu',
    mark: 'ok',
    found: 'onnxruntime-1.30.0, 100 GFLOP/s a thread',
    mend: null,
    facts: { numerics_class: value.numericsClass, correct: true, gflops: 100 },
  });
});

test('wrong numbers are a failure', () => {
  expect(judgeCpu({ kind: 'answered', value: { ...value, correct: false }, noise: '' })).toMatchObject({
    mark: 'fail',
    found: 'onnxruntime-1.30.0 multiplies two matrices wrongly',
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
