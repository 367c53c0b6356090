/** `troupe data show`, as a user runs it: rows of every kind, statistics, and what is refused. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { troupeHere } from './here.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const golden = fileURLToPath(new URL('../data/golden/chat/zephyr_bars/tokenizer.json', import.meta.url));
let folder: string;

const chat = (question: string, answer: string): object => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});

const files: Readonly<Record<string, readonly object[]>> = {
  'chats.jsonl': [
    chat('2+2?', '4'),
    ...Array.from({ length: 18 }, (_, i) => chat('?', 'x'.repeat(i))),
    chat('?', 'x'.repeat(300)),
  ],
  'pairs.jsonl': [{ prompt: 'Pet? ', chosen: 'dog', rejected: 'cat', chosen_reward: 3, rejected_reward: -1 }],
  'rated.jsonl': [{ prompt: 'Egg?', response: 'Boil\u001b[31m it.', helpfulness: 3, verbosity: 0 }],
  'texts.jsonl': [{ body: 'Ei 世' }, { body: 'x'.repeat(400) }],
  'mixed.jsonl': [chat('2+2?', '4'), { text: 'no chat' }],
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-show-'));
  for (const [name, rows] of Object.entries(files)) {
    writeFileSync(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  writeFileSync(join(folder, 'empty.jsonl'), '\n');
  writeFileSync(
    join(folder, 'mine.yaml'),
    'training: { sequence_length: 64 }\ndata: { blend: [ { name: t, glob: "*.jsonl", columns: { text: body } } ] }\n',
  );
  writeFileSync(
    join(folder, 'chat.yaml'),
    `training: { sequence_length: 64 }\nobjective: { kind: chat }\ndata: { rows: 'chats.jsonl', train_on: all, tokenizer: 'hf:${golden}' }\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Shown {
  readonly out: string[];
  readonly error: string;
  readonly exitCode: number | null;
}

/** In a process of its own, by a shell. */
function show(args: string, env: NodeJS.ProcessEnv = { NO_COLOR: '1' }): Shown {
  const { stdout, stderr, status } = spawnSync('bash', ['-o', 'pipefail', '-c', `"$NODE" "$MAIN" data show ${args}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', NODE: process.execPath, MAIN: main, ...env },
  });
  return { out: stdout.trimEnd().split('\n'), error: stderr.trimEnd().replaceAll(folder, 'DIR'), exitCode: status };
}

async function showHere(args: string): Promise<Shown> {
  const { stdout, stderr, exitCode } = await troupeHere(folder, ['data', 'show', ...args.split(' ')]);
  return { out: stdout.trimEnd().split('\n'), error: stderr.trimEnd().replaceAll(folder, 'DIR'), exitCode };
}

test('a chat is shown as its template writes it, what is learnt in brackets, and all rows are counted', () => {
  expect(show('chats.jsonl --rows 1')).toEqual({
    exitCode: 0,
    error: '',
    out: [
      'chats.jsonl: rows of the kind chat; tokenizer bytes, template ChatML; sequence_length 256',
      '',
      'row 1, line 1: 26 tokens, 2 learnt',
      '<|im_start|>user',
      '2+2?<|im_end|>',
      '<|im_start|>assistant',
      '⟦4<|im_end|>⟧',
      '',
      'all rows; lengths in tokens, before any is cut',
      '  rows  min  median  p95  max  cut  dropped  tokens  learnt',
      // Lengths 26, 22 to 39, 322: the tenth and the nineteenth of twenty.
      '    20   22      30   39  322    1        0     831  409 (49.2 %)',
    ],
  });
});

test('what is learnt is underlined where there are colours', () => {
  const { out } = show('chats.jsonl --rows 1', { FORCE_COLOR: '1', NO_COLOR: undefined });
  expect(out).toContain('\u001b[4m\u001b[32m4<|im_end|>\u001b[39m\u001b[24m');
});

test('a pair is shown with both of its answers, and that nothing learns from it yet', async () => {
  expect((await showHere('pairs.jsonl')).out.slice(1)).toEqual([
    'no objective learns from pairs yet',
    '',
    'row 1, line 1: chosen: 9 tokens, 4 learnt; reward 3',
    'Pet? ⟦dog\\x00⟧',
    '',
    'row 1, line 1: rejected: 9 tokens, 4 learnt; reward -1',
    'Pet? ⟦cat\\x00⟧',
    '',
    'all rows; lengths in tokens of an answer with its prompt, before any is cut',
    '  rows  min  median  p95  max  cut  dropped  tokens  learnt',
    '     1    9       9    9    9    0        0      18  8 (44.4 %)',
  ]);
});

test('an answer with attributes is shown with its labels, and obeys no terminal', async () => {
  const { out } = await showHere('rated.jsonl');
  expect(out[2]).toBe('row 1, line 1: 38 tokens; helpfulness 3, correctness -, coherence -, complexity -, verbosity 0');
  expect(out[6]).toBe('Boil\\x1b[31m it.<|im_end|>');
});

test('texts of a blend are a stream, shown with their ids, their key as the topology names it', async () => {
  expect((await showHere('texts.jsonl --rows 1 --topology mine.yaml')).out).toEqual([
    'texts.jsonl: rows of the kind text; tokenizer bytes; one stream of texts, cut into sequences wherever they end',
    '',
    'row 1, line 1: 7 tokens',
    '⟦Ei 世\\x00⟧',
    'ids: 69 105 32 228 184 150 0',
    '',
    'all rows; lengths in tokens, before any is cut',
    '  rows  min  median  p95  max  tokens',
    '     2    7       7  401  401  408',
  ]);
});

test('a topology decides the tokenizer, its template, what is learnt and where rows are cut', async () => {
  const { out, error, exitCode } = await showHere('chats.jsonl --rows 20 --json --topology chat.yaml');
  expect([error, exitCode]).toEqual(['', 0]);
  const shown = JSON.parse(out[0]) as {
    rows: { samples: { text: string; ids: number[]; learnt: number[]; tokens_before_cut: number }[] }[];
  };
  expect(shown).toMatchObject({ kind: 'chat', sequence_length: 64, in_topology: true, is_learnt_from: true });
  expect(shown).toMatchObject({ template: 'tokenizer', statistics: { rows: 20, cut: 1, dropped: 0 } });
  const [last] = shown.rows[19].samples;
  expect([last.ids.length, last.learnt.length]).toEqual([64, 64]);
  expect(last.learnt).not.toContain(0);
  expect(last.tokens_before_cut).toBeGreaterThan(64);
});

test('a file that no corpus of the topology has, and a kind that its objective does not learn from, are told', async () => {
  expect((await showHere('rated.jsonl --rows 0 --topology chat.yaml')).out.slice(1, 3)).toEqual([
    'no corpus of the topology has this file',
    'objective.kind chat does not learn from them',
  ]);
});

test.each([
  ['none.jsonl', 1, 'troupe: cannot read the rows of DIR/none.jsonl: ENOENT; correct the path'],
  ['empty.jsonl', 1, 'troupe: cannot read the rows of DIR/empty.jsonl: it has no row; write one JSON object a line'],
  [
    'mixed.jsonl --rows 0',
    1,
    'troupe: DIR/mixed.jsonl:2: the row has "text"; a row of kind chat has messages; or conversations; or prompt and completion; or instruction and output: name the keys that hold them under columns',
  ],
  [
    'chats.jsonl --topology none.yaml',
    2,
    'troupe: none.yaml: no such file; give a topology file, for example configs/quickstart.yaml',
  ],
  [
    'chats.jsonl --rows -1',
    2,
    "troupe: option '--rows <N>' argument '-1' is invalid. Allowed: a whole number, 0 or more. (troupe --help lists what there is)",
  ],
])('%s ends with %i and one line', async (args, exitCode, error) => {
  expect(await showHere(args)).toMatchObject({ exitCode, error });
});

test('a reader that goes away is no failure', () => {
  expect(show('chats.jsonl --rows 20 | head -1')).toMatchObject({ exitCode: 0, error: '' });
});
