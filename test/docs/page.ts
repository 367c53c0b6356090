/**
 * A page of the documentation as a list of fenced blocks. `sh` blocks are what a reader runs. A `text` block that comes
 * next in the same section is what it prints. A block of another language whose paragraph ends with a file's name and a
 * colon is what the reader writes to that file.
 */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Block {
  readonly page: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** The file that the reader writes it to, or null. */
  readonly file: string | null;
  /** What the page says that it prints, or null. */
  readonly output: string | null;
}

/** Every page, by its path in the repository. */
export const pages: readonly string[] = globSync(['README.md', 'CONTRIBUTING.md', 'docs/**/*.md'], {
  cwd: root,
}).sort();

export const textOf = (page: string): string => readFileSync(`${root}/${page}`, 'utf8');

/** The blocks of a page, from top to bottom. */
export function blocksOf(page: string, text = textOf(page)): Block[] {
  const blocks: (Block & { section: number })[] = [];
  let section = 0;
  let paragraph = '';
  let open: { line: number; language: string; lines: string[] } | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^ *```(.*)$/.exec(line);
    if (open === null) {
      if (line.startsWith('#')) section += 1;
      if (fence !== null) open = { line: index + 1, language: fence[1], lines: [] };
      else if (line.trim() !== '') paragraph = line;
    } else if (fence === null) {
      open.lines.push(line);
    } else {
      const { lines, ...rest } = open;
      const before = blocks.at(-1);
      const isOutput = rest.language === 'text' && before?.section === section && isRun(before.language);
      if (isOutput) blocks[blocks.length - 1] = { ...before, output: lines.join('\n') };
      const file = isRun(rest.language) ? null : (/`([^`\s]+\.\w+)`:$/.exec(paragraph)?.[1] ?? null);
      blocks.push({ page, ...rest, text: lines.join('\n'), file, output: null, section });
      paragraph = '';
      open = null;
    }
  }
  return blocks;
}

const isRun = (language: string): boolean => language === 'sh' || language === 'ts';

/** Whether it is a whole program, and not a part of one. */
export const isProgram = ({ language, text }: Block): boolean => language === 'ts' && /^import /m.test(text);

/** The commands of an `sh` block, without comments. One goes on below its line while a double quote is open. */
export function commandsOf({ text }: Pick<Block, 'text'>): string[] {
  const commands: string[] = [];
  let open: string | null = null;
  for (const line of text.split('\n')) {
    const command: string = open === null ? line.replace(/(^|\s+)#.*$/, '') : `${open}\n${line}`;
    const isOpen = (command.match(/"/g) ?? []).length % 2 === 1 || command.endsWith('\\');
    if (!isOpen && command !== '') commands.push(command);
    open = isOpen ? command : null;
  }
  return commands;
}
