/** A run on two nodes whose launcher or one of whose nodes is killed: nothing is left, and it goes on to the same bits. */
// @module-tag nats-server
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bitsOf, expectToGoOnWithout, long, nothing, onNodes, remainsOf } from './node_runs.ts';
import { folder, launch, prepareFolder } from './training.ts';

beforeAll(() => {
  prepareFolder();
  launch('whole', ...long);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a run on two nodes', () => {
  test('whose launcher is killed leaves nothing behind, and goes on to the same bits', async () => {
    const launched = onNodes('killed', ...long);
    await launched.said(/^step 20\//);
    launched.process.kill('SIGKILL');
    expect(await launched.ended).toBe('SIGKILL');
    expect(await remainsOf(launched)).toEqual(nothing);
    const resumed = onNodes('killed', ...long, '--resume');
    expect(await resumed.ended).toBe(0);
    expect(bitsOf('killed')).toEqual(bitsOf('whole'));
  });

  test.each([
    ['first', 'node-0'],
    ['second', 'node-1'],
  ])('of which the %s is killed starts it again, and goes on to the same bits', async (_which, node) => {
    await expectToGoOnWithout(node);
  });
});
