/** What fp32 rounds away is refused, with what would become of it; what it keeps is taken. */
import { describe, expect, test } from 'vitest';
import { parseOverride, parseTopology, topologySchema } from '../../src/topology/index.ts';
import { lostInFp32 } from '../../src/topology/fp32.ts';
import { nodeAt } from '../../src/topology/key_tree.ts';

const parsed = (argument: string) => parseTopology('', 'run.yaml', [parseOverride(argument)]);

describe('a number that fp32 rounds away is refused by its key', () => {
  test.each([
    ['optimizer.eps=1e-300', 'found 1e-300, allowed: a number above 0 (fp32 makes 0 of it)'],
    ['optimizer.lr=1e-46', 'found 1e-46, allowed: a number above 0 (fp32 makes 0 of it)'],
    ['optimizer.lr=1e39', 'found 1e+39, allowed: a number above 0 (fp32 makes infinity of it)'],
    [
      'optimizer.weight_decay=1e-39',
      'found 1e-39, allowed: a number, 0 or more (fp32 makes 1.0000002153053333e-39 of it, which a GPU takes for 0)',
    ],
    ['optimizer.grad_clip=1e-300', 'found 1e-300, allowed: a number, 0 or more (fp32 makes 0 of it)'],
    ['optimizer.min_lr=1e-300', 'found 1e-300, allowed: a number, 0 or more (fp32 makes 0 of it)'],
    [
      'optimizer.betas=[0.9,0.99999999999]',
      'found 0.99999999999, allowed: a list of two numbers, each 0 or more and less than 1 (fp32 makes 1 of it)',
    ],
    [
      'optimizer.betas=[0.9999999,0.95]',
      'found 0.9999999, allowed: a list of two numbers, each 0 or more and less than 1 (fp32 makes 1.19e-7 of 1 minus it, which is 1.00e-7)',
    ],
    ['moe.aux_loss_coef=1e-60', 'found 1e-60, allowed: a number, 0 or more (fp32 makes 0 of it)'],
    ['moe.z_loss_coef=1e50', 'found 1e+50, allowed: a number, 0 or more (fp32 makes infinity of it)'],
    ['moe.jitter_eps=1e-8', 'found 1e-8, allowed: a number, 0 or more and less than 1 (fp32 makes 1 of 1 plus it)'],
    ['model.rms_norm_eps=1e-50', 'found 1e-50, allowed: a number above 0 (fp32 makes 0 of it)'],
    ['model.rope_theta=1e-320', 'found 1e-320, allowed: a number above 0 (fp32 makes 0 of it)'],
  ])('%s', (argument, line) => {
    const [key] = argument.split('=');
    expect(() => parsed(argument)).toThrow(`--set ${argument}: ${key}`);
    expect(() => parsed(argument)).toThrow(line);
  });

  test.each([
    'optimizer.eps=1e-30',
    'optimizer.betas=[0,0.999999]',
    'optimizer.weight_decay=0',
    'optimizer.grad_clip=0',
    'moe.jitter_eps=0',
    'moe.jitter_eps=1e-7',
    'optimizer.lr=1e-30 ',
  ])('%s is taken', (argument) => {
    const others = argument.startsWith('optimizer.lr') ? [parseOverride('optimizer.min_lr=0')] : [];
    expect(() => parseTopology('', 'run.yaml', [parseOverride(argument), ...others])).not.toThrow();
  });
});

test('a number out of its range is refused for that alone', () => {
  expect(() => parsed('optimizer.betas=[0.9,1]')).toThrow(/less than 1$/);
  expect(() => parsed('optimizer.eps=0')).toThrow(/a number above 0$/);
  expect(() => parsed('optimizer.lr=.nan')).toThrow(/a number above 0$/);
});

test('every default is a number that fp32 keeps', () => {
  const { optimizer, model } = topologySchema.parse({});
  for (const [section, values] of Object.entries({ optimizer, model })) {
    for (const [key, value] of Object.entries(values)) {
      const use = nodeAt([section, key])?.fp32 ?? null;
      if (use === null) continue;
      for (const number of [value].flat()) expect(lostInFp32(use, Number(number)), key).toBeNull();
    }
  }
});
