/** The events log: time, kind and fields, one object a line. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EventsLog } from '../../src/telemetry/index.ts';

test('events are appended with the time of the clock, and survive the log that wrote them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-events-'));
  const path = join(folder, 'events.jsonl');
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
  rmSync(folder, { recursive: true });
});
