/** `troupe init`, `launch --dry-run` and `completion`, as a user runs them; each in a process of its own at least once. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { troupeHere } from './here.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-init-'));
  mkdirSync(join(folder, 'texts', 'old'), { recursive: true });
  writeFileSync(join(folder, 'texts', 'old', 'letter.txt'), 'Dear reader. '.repeat(4000));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Said {
  readonly out: string[];
  readonly error: string;
  readonly exitCode: number | null;
}

function troupe(...args: string[]): Said {
  const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' };
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  });
  return { out: stdout.trimEnd().split('\n'), error: stderr.trimEnd(), exitCode: status };
}

async function here(...args: string[]): Promise<Said> {
  const { stdout, stderr, exitCode } = await troupeHere(folder, args);
  return { out: stdout.trimEnd().split('\n'), error: stderr.trimEnd(), exitCode };
}

describe('init', () => {
  test('writes a file that a dry run accepts, and the dry run leaves nothing', () => {
    const { out, error, exitCode } = troupe('init', '--name', 'letters');
    expect([error, exitCode]).toEqual(['', 0]);
    expect(out.at(-1)).toBe('next: npx troupe launch troupe.yaml --dry-run');

    const dry = troupe('launch', 'troupe.yaml', '--dry-run');
    expect([dry.error, dry.exitCode]).toEqual(['', 0]);
    expect(dry.out.slice(0, 3)).toEqual([
      'corpora',
      '  corpus    share  files  left out    KiB  tokens  epochs',
      // 250 steps of 16 sequences of 256 tokens, of 48 k that are trained on.
      '  texts   100.0 %      1         0  50.78  52.0 k   21.38',
    ]);
    expect(dry.out.at(-2)).toMatch(/^fits: /);
    expect(dry.out.at(-1)).toMatch(
      /^dry run: nothing was started or written; the run would be written to runs\/letters-/,
    );
    expect([existsSync(join(folder, 'runs')), existsSync(join(folder, '.corpora'))]).toEqual([false, false]);
  });

  test('refuses a folder and a glob without a match at once, and says which glob would match', async () => {
    writeFileSync(join(folder, 'notes.md'), 'x');
    const refusal = async (data: string): Promise<string> => {
      const { error, exitCode } = await here('init', '--data', data);
      expect(exitCode).toBe(2);
      return error.replaceAll(folder, 'DIR');
    };
    expect(await refusal('texts')).toBe(
      "troupe: --data texts: is a folder; give a glob of the files in it: 'texts/**/*.txt' would match",
    );
    expect(await refusal('texts/*.md')).toBe(
      "troupe: --data texts/*.md: matches no file below DIR; name your texts by a glob: 'texts/**/*.txt' would match",
    );
    expect(await refusal('none/*.txt')).toMatch(/; name your texts by a glob: '\*\*\/\*\.(?:md|txt)' would match$/);
    expect(await refusal('{a,b}'.repeat(21))).toMatch(
      /\{a,b\}: stands for more than 4096 patterns; name your texts by a glob: /,
    );
    expect(existsSync(join(folder, 'troupe.yaml'))).toBe(false);
  });

  test('tells the kind of rows, and writes a file that trains on them', async () => {
    const write = (name: string, row: (i: number) => object): void =>
      writeFileSync(join(folder, name), Array.from({ length: 40 }, (_, i) => `${JSON.stringify(row(i))}\n`).join(''));
    write('chats.jsonl', (i) => ({
      prompt: [{ role: 'user', content: `${i}?` }],
      completion: [{ role: 'assistant', content: '!' }],
    }));
    write('rated.ndjson', (i) => ({ prompt: `${i}?`, response: 'No.', helpfulness: i % 5 }));
    write('texts.jsonl', (i) => ({ text: `Number ${i}. `.repeat(200) }));
    const said: string[] = [];
    for (const [data, key] of [
      ['chats.jsonl', 'kind: chat'],
      ['rated.ndjson', 'kind: attributes'],
      ['texts.jsonl', 'format: jsonl'],
    ]) {
      const { out, error, exitCode } = await here('init', `${data}.yaml`, '--data', data);
      expect([error, exitCode]).toEqual(['', 0]);
      said.push(out[0]);
      expect(readFileSync(join(folder, `${data}.yaml`), 'utf8')).toContain(key);
      const dry = await here('launch', `${data}.yaml`, '--dry-run');
      expect([dry.error, dry.exitCode]).toEqual(['', 0]);
    }
    expect(said).toEqual([
      'wrote chats.jsonl.yaml: a small Switch Transformer on chats.jsonl, rows of chats',
      'wrote rated.ndjson.yaml: a small Switch Transformer on rated.ndjson, rows of rated answers',
      'wrote texts.jsonl.yaml: a small Switch Transformer on texts.jsonl, rows of texts',
    ]);
    // Its line about another model is one that can be used.
    const chat = readFileSync(join(folder, 'chats.jsonl.yaml'), 'utf8').replace('# from: ', 'from: ');
    writeFileSync(join(folder, 'from.yaml'), chat);
    expect((await here('launch', 'from.yaml', '--dry-run')).error).toMatch(/runs\/base: there is no such folder/);
  });

  test('refuses pairs, which nothing learns from yet, and rows of no kind', async () => {
    writeFileSync(join(folder, 'pairs.jsonl'), '{"prompt": "a", "chosen": "b", "rejected": "c"}\n');
    writeFileSync(join(folder, 'other.jsonl'), '{"title": "a"}\n');
    expect(await here('init', '--data', 'pairs.jsonl')).toMatchObject({
      exitCode: 2,
      error:
        'troupe: --data pairs.jsonl: its rows are pairs of answers, which no objective learns from yet; give chats, attributes or texts',
    });
    const { error, exitCode } = await here('init', '--data', 'other.jsonl');
    expect([error, exitCode]).toEqual([expect.stringMatching(/other\.jsonl:1: the row has "title"; a row has /), 1]);
    expect(existsSync(join(folder, 'troupe.yaml'))).toBe(false);
  });

  test('takes JSON that is no array of rows for a text', async () => {
    writeFileSync(join(folder, 'a.json'), '{"name": "a", "list": [1, 2]}\n');
    expect((await here('init', '--data', '*.json')).out[0]).toBe(
      'wrote troupe.yaml: a small Switch Transformer on *.json',
    );
  });

  test('says that no text is there yet, where none was named', async () => {
    rmSync(join(folder, 'texts'), { recursive: true });
    const { out, exitCode } = await here('init');
    expect(out).toContain(
      'no file matches texts/**/*.txt yet: put your texts there, or name others by data.blend[0].glob',
    );
    expect(exitCode).toBe(0);
  });

  test('takes a name that YAML would read as a number', async () => {
    expect((await here('init', '--name', '12')).exitCode).toBe(0);
    expect((await here('plan', 'troupe.yaml')).out[0]).toMatch(/^12: /);
  });

  test('takes the name from the folder, and globs as seen from where it is called', async () => {
    mkdirSync(join(folder, 'configs'));
    expect((await here('init', 'configs/mine.yaml', '--data', 'texts/**')).exitCode).toBe(0);
    const text = readFileSync(join(folder, 'configs', 'mine.yaml'), 'utf8');
    expect(text).toContain('glob: "../texts/**"');
    expect(text).toMatch(/^name: troupe-init-/m);
  });
});

describe('launch --dry-run says what a launch would', () => {
  test('a model that does not fit: exit code 1', () => {
    troupe('init');
    const { out, exitCode } = troupe('launch', 'troupe.yaml', '--dry-run', '--set', 'cluster.memory_per_worker=16MiB');
    expect(out.at(-2)).toMatch(/^does not fit on 1 of 1 worker/);
    expect(exitCode).toBe(1);
  });
});

describe('completion', () => {
  test('completes verbs, options and files in bash', () => {
    const completed = [
      [['la'], 'launch'],
      [['launch', '--dr'], '--dry-run'],
      [['launch', 'te'], 'texts'],
      [['completion', 'f'], 'fish'],
      [['data', ''], 'show'],
      [['data', 'show', '--to'], '--topology'],
      [['data', 'show', 'te'], 'texts'],
    ] as const;
    const script = [
      `eval "$('${process.execPath}' '${main}' completion bash)"`,
      ...completed.flatMap(([words]) => [
        `COMP_WORDS=(troupe ${words.map((word) => `'${word}'`).join(' ')})`,
        `COMP_CWORD=${words.length}`,
        'COMPREPLY=()',
        '_troupe',
        'echo "${COMPREPLY[*]}"',
      ]),
    ];
    const { stdout } = spawnSync('bash', ['-c', script.join('\n')], { cwd: folder, encoding: 'utf8' });
    expect(stdout.trim().split('\n')).toEqual(completed.map(([, word]) => word));
  });

  test('has every verb for fish and zsh', async () => {
    const fish = (await here('completion', 'fish')).out;
    for (const verb of ['init', 'launch', 'plan', 'generate', 'data', 'doctor', 'completion'])
      expect(fish.some((line) => line.includes(`-a ${verb} `))).toBe(true);
    expect((await here('completion', 'zsh')).out[0]).toBe('autoload -Uz bashcompinit && bashcompinit');
  });
});
