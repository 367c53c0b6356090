/** How pages are read: their blocks, the commands in them, and quoted output. */
import { expect, test } from 'vitest';
import { blocksOf, commandsOf } from './page.ts';
import { missingLine } from './quoted.ts';

const page = `# Page

Write \`../my-run/mine.yaml\`:

\`\`\`yaml
name: mine
\`\`\`

\`\`\`sh
run it
\`\`\`

It prints

\`\`\`text
done
\`\`\`

## Next

\`\`\`text
a drawing
\`\`\`
`;

test('a block has its place, the file that it is written to, and the output that its section quotes', () => {
  expect(blocksOf('page.md', page)).toMatchObject([
    { line: 5, language: 'yaml', text: 'name: mine', file: '../my-run/mine.yaml', output: null },
    { line: 9, language: 'sh', text: 'run it', file: null, output: 'done' },
    { line: 15, language: 'text', text: 'done', file: null, output: null },
    { line: 21, language: 'text', text: 'a drawing', file: null, output: null },
  ]);
});

test('a command has no comment, and goes on while a quote is open', () => {
  expect(commandsOf({ text: '# first\nnpm test    # all\n\nnode -e "\n  1 # one\n"\nlast --glob \'a/*\'' })).toEqual([
    'npm test',
    'node -e "\n  1 # one\n"',
    "last --glob 'a/*'",
  ]);
});

test.each([
  ['step 10: 12.6 k tokens/s', 'begin\nstep 9: 950 tokens/s\nend', null],
  ['a\n...\nc', 'a\nb\nc', null],
  ['a\nc', 'c\na', 'c'],
  ['troupe: no key', 'troupe: no such key', 'troupe: no key'],
])('%j is looked for in %j', (quoted, printed, missing) => {
  expect(missingLine(quoted, printed, { areFiguresCompared: false })).toBe(missing);
});

test('figures are compared where they must be those of the page', () => {
  expect(missingLine('42', '41', { areFiguresCompared: true })).toBe('42');
  expect(missingLine('42', '42', { areFiguresCompared: true })).toBeNull();
});
