/**
 * Topology files and `--set` that are wrong, through the command. Every kind of fault is here once or twice; the whole
 * list of lines is in `test/topology`. No file is written, whichever verb reads the file.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { at, folder } from '../training.ts';
import { plainly, refusalHere, refusalOf } from './refusal.ts';

const sections =
  'name, from, cluster, model, moe, parallelism, training, objective, optimizer, data, evaluations, checkpoint, recovery';
const trainingKeys =
  'steps, global_batch_size, sequence_length, seed, precision, eval_interval, eval_sequences, loss_scale';
const give = 'give a topology file, for example configs/quickstart.yaml';

const faults: readonly (readonly [what: string, file: string, content: string | Buffer | null, line: string])[] = [
  ['no file', 'none.yaml', null, `no such file; ${give}`],
  ['a folder', 'texts', null, `cannot be read (EISDIR); ${give}`],
  ['a file below a file', 'good.yaml/more.yaml', null, `cannot be read (ENOTDIR); ${give}`],
  [
    'a binary file',
    'binary.yaml',
    Buffer.from([0x1f, 0x8b, 8, 0, 255]),
    'is not UTF-8 text; save it as UTF-8, or give a topology file',
  ],
  [
    'a key twice',
    'twice.yaml',
    'name: a\nname: b\n',
    '2:1: not YAML: the key name is there twice in one mapping; remove one',
  ],
  [
    'a mapping as a key, which YAML would warn of',
    'odd.yaml',
    '{ a: b }: c\n',
    `1:1: { a: b }: unknown key; allowed here: ${sections}`,
  ],
  [
    'text instead of sections',
    'text.yaml',
    'Dear reader\n',
    '1:1: found "Dear reader", allowed: a mapping of sections',
  ],
  [
    'an unknown key',
    'key.yaml',
    'training:\n  step: 3\n',
    `2:3: training.step: unknown key; did you mean steps? allowed here: ${trainingKeys}`,
  ],
  [
    'a fault in an item',
    'item.yaml',
    'data:\n  blend:\n    - { name: a, glob: x }\n    - { name: b, glob: y, format: jsn }\n',
    '4:35: data.blend.1.format: found "jsn", allowed: auto or text or jsonl or json_strings or rows',
  ],
  [
    'more warm-up than steps',
    'warm.yaml',
    'training: { steps: 10 }\n',
    '1:20: optimizer.warmup_steps: warmup_steps 20 must be less than training.steps 10; lower it, for example --set optimizer.warmup_steps=0',
  ],
  [
    'a mesh that does not divide',
    'mesh.yaml',
    'parallelism: { data_parallel: 3 }\n',
    '1:31: training.global_batch_size: global_batch_size 16 is not divisible by parallelism.data_parallel 3 x parallelism.micro_batches 1 = 3',
  ],
];

const overrides: readonly (readonly [argument: string, line: string])[] = [
  ['training.steps', 'not of the form KEY=VALUE, for example training.steps=100'],
  ['training.steps=abc', 'training.steps: found "abc", allowed: a whole number, 1 or more'],
  ['training.stesp=3', `training.stesp: unknown key; did you mean steps? allowed here: ${trainingKeys}`],
  ['moe.top_k=9', 'moe.top_k: top_k 9 exceeds num_experts 8'],
  ['name=*a', 'name: the value is not YAML (the alias *a has no anchor &a before it)'],
  [
    'data.blend.3.weight=2',
    'data.blend.3.weight: data.blend has no key or item "3", since the file does not give it; set all of it',
  ],
];

beforeAll(() => {
  mkdirSync(at('texts'), { recursive: true });
  writeFileSync(at('good.yaml'), 'name: good\n');
  writeFileSync(at('more.yaml'), 'training: { steps: 0, seed: -1 }\nnmae: a\n');
  for (const [, file, content] of faults) if (content !== null) writeFileSync(at(file), content);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a topology file is refused with 2 and one line', () => {
  test.each(faults)('%s', async (_what, file, _content, line) => {
    const separator = /^\d/.test(line) ? ':' : ': ';
    expect(await refusalHere(['launch', file])).toEqual(plainly(`troupe: ${file}${separator}${line}`, 2));
  });

  test('or as many lines as it has faults', () => {
    expect(refusalOf(['launch', 'more.yaml'])).toEqual({
      ...plainly('', 2),
      lines: [
        'troupe: more.yaml:1:20: training.steps: found 0, allowed: a whole number, 1 or more',
        'troupe: more.yaml:1:29: training.seed: found -1, allowed: a whole number from 0 to 4294967295',
        expect.stringMatching(/^troupe: more\.yaml:2:1: nmae: unknown key; did you mean name\? /),
      ],
    });
  });

  test.each([
    ['launch', '--dry-run'],
    ['launch', '--resume', '--run-dir', 'texts'],
    ['plan', '--json'],
  ])('by %s %s alike', (verb, ...options) => {
    const line = 'troupe: key.yaml:2:3: training.step: unknown key; did you mean steps? allowed here: ';
    expect(refusalOf([verb, 'key.yaml', ...options])).toEqual(plainly(line + trainingKeys, 2));
  });
});

describe('an argument is refused with 2 and one line that shows it', () => {
  test.each(overrides)('--set %s', async (argument, line) => {
    expect(await refusalHere(['plan', 'good.yaml', '--set', argument])).toEqual(
      plainly(`troupe: --set ${argument}: ${line}`, 2),
    );
  });

  test('--set, of a long value the beginning', async () => {
    const argument = 'data.blend=[{ name: a, glob: texts/one/*.txt }, { name: a, glob: texts/two/*.txt }]';
    expect(await refusalHere(['plan', 'good.yaml', '--set', argument])).toEqual(
      plainly(
        'troupe: --set data.blend=[{ name: a, glob: texts/one/*.txt }, { …: data.blend.1.name: another corpus of the blend is named "a" too; names must differ',
        2,
      ),
    );
  });

  test('--steps', () => {
    expect(refusalOf(['plan', 'good.yaml', '--steps', '-1'])).toEqual(
      plainly('troupe: --steps -1: training.steps: found -1, allowed: a whole number, 1 or more', 2),
    );
  });
});
