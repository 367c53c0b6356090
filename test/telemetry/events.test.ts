/** The events log: time, kind and fields, one object a line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EventsLog } from '../../src/telemetry/index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-events-'));
  path = join(folder, 'events.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('events are appended with the time of the clock, and survive the log that wrote them', () => {
  let nowMs = 0;
  const first = new EventsLog(path, () => nowMs);
  first.append('started', { seed: 1, resumed: false });
  first.close();
  nowMs = Date.UTC(2026, 0, 31, 12, 0, 0, 5);
  const second = new EventsLog(path, () => nowMs);
  second.append('checkpoint', { step: 100, path: 'checkpoints/step-000100.g1' });
  second.append('done');
  second.close();
  expect(readFileSync(path, 'utf8')).toBe(
    '{"time":"1970-01-01T00:00:00.000Z","kind":"started","seed":1,"resumed":false}\n' +
      '{"time":"2026-01-31T12:00:00.005Z","kind":"checkpoint","step":100,"path":"checkpoints/step-000100.g1"}\n' +
      '{"time":"2026-01-31T12:00:00.005Z","kind":"done"}\n',
  );
});

const event = '{"time":"1970-01-01T00:00:00.000Z","kind":"done"}\n';

test.each([
  ['half a line', `${event}{"time":"2026-`, event],
  ['nothing but half a line', '{"time":"2026-', ''],
  ['a line with a long tail of zeros', `${event}${'\0'.repeat(200_000)}`, event],
  ['no tear', `${event}${event}`, event + event],
])('a log that a crash left with %s goes on after its last whole line', (_what, left, whole) => {
  writeFileSync(path, left);
  const log = new EventsLog(path, () => 0);
  log.append('done');
  log.close();
  expect(readFileSync(path, 'utf8')).toBe(whole + event);
});
