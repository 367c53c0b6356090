/** What data an objective learns from, and keys that would have no effect: each refused in one line, with its place. */
import { describe, expect, it } from 'vitest';
import { COLUMNS } from '../../src/data/rows/index.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { rowKeys } from '../../src/topology/schema/data.ts';
import { ATTRIBUTES } from '../../src/data/rows/index.ts';
import { attributeNames } from '../../src/models/objectives/attributes.ts';

const parse = (text: string): unknown => parseTopology(text, 'rows.yaml');

describe('data', () => {
  it.each([
    ['objective: { kind: chat }', 'chat learns from rows of data; name files by data.rows'],
    ['data: { pack: true }', 'only rows of data are packed, and data has none'],
    [
      'objective: { kind: attributes }\ndata: { blend: [{ name: a, glob: a, format: rows }, { name: b, glob: b }] }',
      'texts have no attributes to learn; remove the corpus, or set format: rows',
    ],
    [
      'objective: { kind: attributes }\ndata: { rows: a, pack: true }',
      'attributes are of a sequence as a whole, so that each row has one of its own',
    ],
    ['data: { rows: a, train_on: completion }', 'it is for objective.kind: chat'],
    [
      'data: { rows: a, blend: [{ name: b, glob: b }] }',
      'rows stands for a blend of one corpus; remove one of the two',
    ],
    [
      'data: { blend: [{ name: b, glob: b, format: rows, columns: { answer: a } }] }',
      'rows of data have no key "answer" that could be called otherwise',
    ],
  ])('%s is refused', (text, reason) => {
    expect(() => parse(text)).toThrow(reason);
  });

  it.each([
    'data: { rows: a }',
    'objective: { kind: chat }\ndata: { rows: a, pack: true, train_on: completion }',
    'objective: { kind: chat }\ndata: { blend: [{ name: a, glob: a, format: rows }, { name: b, glob: b }] }',
    'objective: { kind: attributes }\ndata: { rows: [a, b] }',
  ])('%s is taken', (text) => {
    expect(() => parse(text)).not.toThrow();
  });
});

it('has the keys of rows and the attributes that the readers of rows have, in their order', () => {
  expect(rowKeys).toEqual(COLUMNS);
  expect(attributeNames).toEqual(ATTRIBUTES);
});
