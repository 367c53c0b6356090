/** What is not YAML in a topology file: one exact line each, with a place and, where a slip leads there, a remedy. */
import { expect, test } from 'vitest';
import { messageOf } from './refusal.ts';

const colon = 'begin each key below its neighbours, and put quotes around text with a colon';

test.each([
  ['a key twice', 'name: a\nname: b\n', '2:1: not YAML: the key name is there twice in one mapping; remove one'],
  [
    'a quoted key twice, in a section',
    'training:\n  steps: 3\n  "steps": 4\n',
    '3:3: not YAML: the key "steps" is there twice in one mapping; remove one',
  ],
  ['a tab', 'training:\n\tsteps: 3', '2:1: not YAML: Tabs are not allowed as indentation; use spaces'],
  [
    'a line that is too far to the right',
    'training:\n  steps: 3\n    seed: 4\n',
    `2:10: not YAML: Nested mappings are not allowed in compact mappings; ${colon}`,
  ],
  [
    'a line that is too far to the left',
    'data:\n  blend:\n    - name: a\n   glob: x\n',
    '4:1: not YAML: All mapping items must start at the same column',
  ],
  ['a colon in text', 'name: a: b', `1:7: not YAML: Nested mappings are not allowed in compact mappings; ${colon}`],
  [
    'a key without its colon',
    'name: a\ntraining\n  steps: 3\n',
    `2:1: not YAML: Implicit keys need to be on a single line; ${colon}`,
  ],
  [
    'no comma between keys',
    'training: { steps: 3 seed: 4 }',
    '1:20: not YAML: Block collections are not allowed within flow collections; put a comma between keys, and quotes around text with a colon',
  ],
  [
    'a character that begins no text',
    'data: { cache_dir: `cache` }',
    '1:20: not YAML: Plain value cannot start with reserved character `; put quotes around it',
  ],
  [
    'an open bracket',
    'data: { blend: [\n',
    '2:1: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['an open quote', 'name: "abc', '1:11: not YAML: Missing closing "quote'],
  [
    'two documents',
    'name: a\n---\nname: b\n',
    '2:1: not YAML: a second document begins here; a file holds one, so remove the line ---',
  ],
  ['a tag', 'name: !mine a', '1:7: not YAML: Unresolved tag: !mine'],
  ['a directive', '%MINE\n---\nname: a', '1:1: not YAML: Unknown directive %MINE'],
  ['a loose alias', 'model: *big', '1:8: not YAML: the alias *big has no anchor &big before it'],
  [
    'a loose alias in a merge key',
    'model: { <<: [*big] }',
    '1:15: not YAML: the alias *big has no anchor &big before it',
  ],
  [
    'a merge key without a mapping',
    'model: { <<: 3 }',
    '1:10: not YAML: a merge key << takes a mapping, such as *name of one',
  ],
  [
    'aliases that grow without bound',
    `a0: &a0 [x, x, x]\n${Array.from({ length: 8 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]`).join('\n')}`,
    '1:1: not YAML: Excessive alias count indicates a resource exhaustion attack',
  ],
])('%s', (_what, text, line) => {
  expect(messageOf(text)).toBe(`run.yaml:${line}`);
});

test('a byte order mark is no column', () => {
  expect(messageOf('\ufeffname: a/b\n')).toMatch(/^run\.yaml:1:7: name: /);
  expect(messageOf('\ufeffname: a\n')).toBe('accepted');
});
