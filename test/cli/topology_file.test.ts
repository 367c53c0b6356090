/** The topology file as it lies on the disk: what is no text, or none of a sensible size, is refused before it is parsed. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTopology } from '../../src/cli/topology_file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-topology-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a topology file', () => {
  test('may begin with a byte order mark', () => {
    const file = join(folder, 'marked.yaml');
    writeFileSync(file, '\ufeffname: marked\n');
    expect(readTopology(file, {}).name).toBe('marked');
  });

  test('is refused by name where it is UTF-16', () => {
    const file = join(folder, 'utf16.yaml');
    writeFileSync(file, Buffer.from('\ufeffname: wide\n', 'utf16le'));
    expect(() => readTopology(file, {})).toThrow(
      `${file}: is not UTF-8 text; save it as UTF-8, or give a topology file`,
    );
  });

  test('is refused by name where it has any size, or no end', () => {
    const file = join(folder, 'huge.yaml');
    writeFileSync(file, '');
    // A hole: no disk is written, nor is all of it read.
    truncateSync(file, 3 * 2 ** 30);
    for (const path of [file, '/dev/zero']) {
      expect(() => readTopology(path, {})).toThrow(`${path}: has more than 4 MiB; give a topology file, not a text`);
    }
  });
});
