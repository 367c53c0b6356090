/** The programs of the documentation have the types that the package gives them, in a strict project. */
import { expect, test } from 'vitest';
import { Clone } from './clone.ts';
import { blocksOf, isProgram, pages } from './page.ts';

const programs = pages.flatMap((page) => blocksOf(page).filter(isProgram));
const nameOf = (page: string, line: number): string => `${page.replaceAll('/', '_')}_${line}.ts`;

/** A reader may declare something that the page uses further down. */
const config = {
  extends: './tsconfig.json',
  compilerOptions: { noUnusedLocals: false },
  include: ['src/**/*.d.ts', '*.md_*.ts'],
};

test('programs type-check, and a wrong one does not', () => {
  expect(programs.length).toBeGreaterThan(2);
  using clone = new Clone();
  clone.write('programs.json', JSON.stringify(config));
  for (const { page, line, text } of programs) clone.write(nameOf(page, line), `${text}\nexport {};\n`);
  clone.write('wrong.md_1.ts', "import { defineTopology } from 'troupe';\ndefineTopology({ modle: {} });\n");
  const { text } = clone.run('node_modules/.bin/tsc -p programs.json || true');
  expect(text.split('\n').filter((line) => !line.startsWith('wrong.md_1.ts(2,18): error TS'))).toEqual(['']);
  expect(text).toContain("'modle' does not exist in type");
});
