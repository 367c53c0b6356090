/**
 * Every shell command and program of the documentation is run, page by page and in order, in a clone of its own; what a
 * page writes is written, and what it quotes is compared. `exceptions.ts` says what is done otherwise.
 */
import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Clone, type Printed } from './clone.ts';
import { interrupted, notRun, services, shortened, typed } from './exceptions.ts';
import { blocksOf, commandsOf, isProgram, pages, textOf, type Block } from './page.ts';
import { missingLine } from './quoted.ts';

const interrupting = new URL('../cli/interrupt_at_checkpoint.ts', import.meta.url).href;
const allBlocks = pages.flatMap((page) => blocksOf(page));
const shell = (blocks: readonly Block[]): Block[] => blocks.filter(({ language }) => language === 'sh');
const allCommands = shell(allBlocks).flatMap(commandsOf);

let clone: Clone;
let freePort: number;
beforeAll(async () => {
  clone = new Clone();
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  freePort = (server.address() as AddressInfo).port;
  await new Promise((resolve) => server.close(resolve));
});
afterAll(() => clone[Symbol.dispose]());

/** As the test runs or writes it. */
function shortenedText(page: string, text: string): string {
  const replacements = [...(shortened[page] ?? []), ['4333', String(freePort)] as const];
  return replacements.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

test('each fence names its language, so that no command hides in a block of none, and is closed', () => {
  const known = ['sh', 'text', 'ts', 'yaml', 'json', 'conf', 'mermaid'];
  const unknown = allBlocks.filter(({ language }) => !known.includes(language));
  expect(unknown.map(({ page, line, language }) => `${page}:${line}: ${language}`)).toEqual([]);
  const open = pages.filter((page) => (textOf(page).match(/^ *```/gm) ?? []).length % 2 === 1);
  expect(open).toEqual([]);
});

describe('exceptions', () => {
  test.each(Object.entries(notRun))('%s is in a page, can be parsed, and has what it needs', (command, { instead }) => {
    expect(allCommands).toContain(command);
    expect(spawnSync('bash', ['-nc', command], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    expect(instead()).toBeNull();
  });

  test.each([...interrupted, ...Object.keys(services), ...Object.keys(typed)])('%s is in a page', (command) => {
    expect(allCommands).toContain(command);
  });

  test.each(Object.entries(shortened))('what is made short in %s is there', (page, replacements) => {
    const texts = blocksOf(page).map(({ text }) => text);
    const stale = replacements.filter(([from]) => !texts.some((text) => text.includes(from)));
    expect(stale).toEqual([]);
  });
});

const isDone = (block: Block): boolean => block.language === 'sh' || block.file !== null || isProgram(block);

describe.each(pages.filter((page) => blocksOf(page).some(isDone)))('%s', (page) => {
  beforeAll(() => clone.renew());
  afterAll(() => clone.stopServices());

  const blocks = blocksOf(page).filter(isDone);
  test.each(blocks.map((block) => [block.line, block.text.split('\n')[0], block] as const))(
    'line %i: %s',
    async (_line, _first, block) => {
      if (block.file !== null) clone.write(block.file, `${shortenedText(page, block.text)}\n`);
      else if (block.language === 'sh') await runBlock(block);
      else runProgram(block);
    },
  );

  test('leaves no process and no temporary file', async () => {
    await clone.stopServices();
    expect(clone.remains).toEqual({ processes: [], files: [] });
  });
});

async function runBlock(block: Block): Promise<void> {
  const commands = commandsOf(block).filter((command) => !(command in notRun));
  const script = commands.filter((command) => !(command in services));
  if (script.length > 0) {
    const isInterrupted = script.some((command) => interrupted.includes(command));
    const printed = clone.run(shortenedText(block.page, script.join('\n')), {
      input: script.map((command) => typed[command] ?? '').join(''),
      nodeOptions: isInterrupted ? `--import=${interrupting}` : '',
    });
    const isRefused = block.output?.startsWith('troupe: ') ?? false;
    expect(isInterrupted ? [130] : isRefused ? [1, 2] : [0], printed.text).toContain(printed.exitCode);
    expectOutput(block, printed);
  }
  for (const command of commands.filter((one) => one in services)) {
    await clone.start(shortenedText(block.page, command), services[command]);
  }
}

function runProgram(block: Block): void {
  const file = `program-${block.line}.ts`;
  clone.write(file, shortenedText(block.page, block.text));
  const printed = clone.run(`node --conditions=troupe-source ${file}`);
  expect(printed.exitCode, printed.text).toBe(0);
  expectOutput(block, printed);
}

function expectOutput({ output, language, text }: Block, printed: Printed): void {
  // A plan's figures are the same everywhere.
  const areFiguresCompared = language === 'ts' || text.startsWith('npx troupe plan ');
  if (output !== null) expect(missingLine(output, printed.text, { areFiguresCompared }), printed.text).toBeNull();
}
