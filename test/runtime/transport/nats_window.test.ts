import { expect, test } from 'vitest';
import { FlushWindow } from '../../../src/runtime/transport/nats_window.ts';

test('the window closes when it is full and opens as flushes are confirmed', () => {
  const window = new FlushWindow(100);
  window.sent(60);
  const first = window.mark(false);
  window.sent(60);
  const second = window.mark(false);
  expect([first, second, window.isOpen, window.unflushedBytes]).toEqual([60, 120, false, 120]);
  window.confirmed(60);
  expect([window.isOpen, window.unflushedBytes]).toEqual([true, 60]);
  window.confirmed(120);
  expect(window.unflushedBytes).toBe(0);
});

test('a flush is asked for at each quarter of the window, and when nothing else waits and none is under way', () => {
  const window = new FlushWindow(100);
  window.sent(24);
  expect(window.mark(false)).toBeNull();
  window.sent(1);
  expect([window.mark(false), window.mark(false)]).toEqual([25, null]);
  window.sent(1);
  expect([window.mark(false), window.mark(true)]).toEqual([null, null]);
  window.confirmed(25);
  expect([window.mark(false), window.mark(true), window.mark(true)]).toEqual([null, 26, null]);
});

test('a lost connection empties the window, and a late confirmation does not open it further', () => {
  const window = new FlushWindow(100);
  window.sent(100);
  const mark = window.mark(false);
  window.reset();
  expect([window.unflushedBytes, window.mark(true)]).toEqual([0, null]);
  window.sent(100);
  window.confirmed(mark ?? 0);
  expect([window.unflushedBytes, window.isOpen]).toEqual([100, false]);
});
