import { expect, test } from 'vitest';
import { createFlightMemory, SharedFlightRecord } from '../../../src/runtime/cluster/worker_flight_record.ts';
import { createLogMemory, WorkerLog } from '../../../src/runtime/cluster/worker_log.ts';

test('the last 256 messages are read by another holder of the memory, oldest first', () => {
  const memory = createFlightMemory();
  const record = new SharedFlightRecord(memory);
  for (let i = 0; i < 300; i++) record.note(`run/expert-${i % 3}`, i % 2 === 0 ? 'forward' : 'backward', i, i / 2);
  const entries = new SharedFlightRecord(memory).entries();
  expect(entries).toEqual(record.entries());
  expect(entries.length).toBe(256);
  expect(entries[0]).toEqual({ address: 'run/expert-2', message: 'forward', id: 44, ms: 22 });
  expect(entries[255]).toEqual({ address: 'run/expert-2', message: 'backward', id: 299, ms: 149.5 });
});

test('a new record is empty, and one of few messages has just those', () => {
  const record = new SharedFlightRecord(createFlightMemory());
  expect(record.entries()).toEqual([]);
  record.note('größe', 'm', 2 ** 40, 1);
  expect(record.entries()).toEqual([{ address: 'größe', message: 'm', id: 2 ** 40, ms: 1 }]);
});

test('when there are too many names for the list, new ones stay unnamed and old ones keep theirs', () => {
  const record = new SharedFlightRecord(createFlightMemory());
  for (let i = 0; i < 1000; i++) record.note(`a${i}`.padEnd(200, '-'), 'm', i, 0);
  record.note('a0'.padEnd(200, '-'), 'm', 1000, 0);
  const entries = record.entries();
  expect(entries[254]).toEqual({ address: '(unnamed)', message: 'm', id: 999, ms: 0 });
  expect(entries[255].address).toBe('a0'.padEnd(200, '-'));
});

test('the last 64 log lines are read by another holder of the memory, cut at 256 bytes', () => {
  const memory = createLogMemory();
  const log = new WorkerLog(memory);
  for (let i = 0; i < 70; i++) log.write(`line ${i}`);
  log.write('ü'.repeat(200));
  const lines = new WorkerLog(memory).lines();
  expect([lines.length, lines[0], lines[62], lines[63]]).toEqual([64, 'line 7', 'line 69', 'ü'.repeat(128)]);
});
