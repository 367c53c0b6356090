/** `troupe import`, `troupe export` and what they say, with a model of the golden ones. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { troupeHere } from './here.ts';

const folder = mkdtempSync(join(tmpdir(), 'troupe-import-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const interrupting = new URL('./interrupt_at_partial.ts', import.meta.url).href;
const golden = fileURLToPath(new URL('../golden/llama/bf16', import.meta.url));

it('make a run directory of a folder, and a folder of that, and say what is in them', async () => {
  expect(await troupeHere(folder, ['import', golden, 'runs/small'])).toEqual({
    exitCode: 0,
    stdout:
      `imported ${golden}: llama, 81,456 parameters in 51 tensors, with config.json, generation_config.json\n` +
      'next: from: runs/small in a topology file\n',
    stderr: `troupe: ${golden} has no tokenizer.json: the run has no tokenizer, and goes by ids\n`,
  });
  const checkpoint = join('runs', 'small', 'checkpoints', 'step-000000.g1');
  expect(
    await troupeHere(folder, ['export', 'runs/small', 'out', '--dtype', 'float16', '--shard-size', '100KB']),
  ).toEqual({
    exitCode: 0,
    stdout: `exported ${join(folder, checkpoint)}: 51 tensors (float16) in 2 files of out\n`,
    stderr: '',
  });
  expect(readdirSync(join(folder, 'out'))).toContain('model-00002-of-00002.safetensors');
});

it.each([
  [
    ['import', golden, golden],
    `${golden}: is there already, and nothing is written over; name a new folder, or remove it`,
  ],
  [
    ['import', 'nowhere', 'new'],
    `${join(folder, 'nowhere')}: there is no such folder; name the folder of a model, with config.json and *.safetensors`,
  ],
  [
    ['import', golden, 'new', '--set', 'model.hidden_act=tanh'],
    '--set model.hidden_act=tanh: model.hidden_act: found "tanh", allowed: relu or relu2 or silu or gelu',
  ],
  [
    ['export', 'nowhere', 'new'],
    `no checkpoint to open in ${join(folder, 'nowhere')}: there is no such folder; start a new run or name another directory`,
  ],
  [
    ['export', 'nowhere', 'new', '--dtype', 'int8'],
    "option '--dtype <DTYPE>' argument 'int8' is invalid. Allowed choices are float32, bfloat16, float16. (troupe --help lists what there is)",
  ],
  [
    ['export', 'nowhere', 'new', '--shard-size', 'much'],
    "option '--shard-size <SIZE>' argument 'much' is invalid. Allowed: a size such as 5GB or 512MiB. (troupe --help lists what there is)",
  ],
  [
    ['generate', '--checkpoint', golden, '--prompt', 'a'],
    `${golden}: its tokenizer is not there; put its tokenizer.json into the folder and import it anew, or use ids`,
  ],
])('refuse in one line, with 2, and leave nothing: %j', async (args, line) => {
  const ended = await troupeHere(folder, args);
  expect(ended).toEqual({ exitCode: 2, stdout: '', stderr: `troupe: ${line}\n` });
  expect(existsSync(join(folder, 'new'))).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
});

it.each([[['import', golden, 'cut']], [['export', 'runs/small', 'cut']]])(
  'remove what they have written where a signal comes, and end with 130: %j',
  (args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', interrupting, main, ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' },
    });
    expect({ status, stdout }).toEqual({ status: 130, stdout: '' });
    expect(stderr.split('\n').filter((line) => line.includes('interrupted'))).toEqual([
      'troupe: interrupted: removing what was written ... (a second Ctrl-C ends at once, and leaves it there)',
    ]);
    expect(readdirSync(folder).filter((name) => name.startsWith('cut'))).toEqual([]);
  },
);
