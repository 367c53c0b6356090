/** What is not run as the pages have it is what they have: no entry is stale, and no command hides. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { foundByNpm, interrupted, notRun, services, shortened, typed } from './exceptions.ts';
import { blocksOf, commandsOf, pages, textOf } from './page.ts';

const allBlocks = pages.flatMap((page) => blocksOf(page));
const allCommands = allBlocks.filter(({ language }) => language === 'sh').flatMap(commandsOf);

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

  test('npm finds the command for a page that has it', () => {
    const { page, command } = foundByNpm;
    expect(blocksOf(page).filter(({ text }) => text.includes(`${command} `)).length).toBeGreaterThan(0);
  });

  test.each(Object.entries(shortened))('what is made short in %s is there', (page, replacements) => {
    const texts = blocksOf(page).map(({ text }) => text);
    expect(replacements.filter(([from]) => !texts.some((text) => text.includes(from)))).toEqual([]);
  });
});
