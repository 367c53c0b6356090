import { expect, test } from 'vitest';
import { readChunk } from '../../../src/runtime/transport/link_chunk.ts';
import { LinkCounters } from '../../../src/runtime/transport/link_counters.ts';
import { LinkSender } from '../../../src/runtime/transport/link_sender.ts';
import { CHUNK_BYTES, ReceivingEnd, RUN, SENDER } from './link_kit.ts';

const LONG = 'a message of more than two chunks, cut in three';

function senderIn(gen: number, incarnation = SENDER.incarnation): LinkSender {
  const sender = new LinkSender({ run: RUN, incarnation }, CHUNK_BYTES);
  sender.enter(gen);
  return sender;
}

const cut = (sender: LinkSender, text: string): Buffer[] => sender.cut([Buffer.from(text)]);

test('frames are cut, numbered and put together again, byte for byte', () => {
  const sender = senderIn(3);
  const end = new ReceivingEnd();
  const chunks = [...cut(sender, LONG), ...cut(sender, 'short')];
  expect(chunks.map(({ length }) => length)).toEqual([80, 80, 79, 69]);
  chunks.forEach((chunk) => end.take(chunk));
  expect(end.texts).toEqual([LONG, 'short']);
  expect([end.pool.leased, end.budget.usedBytes, end.receiver.expected]).toEqual([0, 0, 4]);
  expect(end.counters.framesReceived).toBe(2);
});

test('a frame is cut from its pieces, wherever they begin and end', () => {
  const end = new ReceivingEnd();
  const pieces = ['', LONG.slice(0, 5), '', LONG.slice(5, 33), LONG.slice(33)].map((text) => Buffer.from(text));
  const chunks = senderIn(3).cut(pieces);
  expect(chunks.map(({ length }) => length)).toEqual([80, 80, 79]);
  chunks.forEach((chunk) => end.take(chunk));
  expect(end.texts).toEqual([LONG]);
});

test('a frame of one chunk is read where it arrived if it is aligned there, and is copied if not', () => {
  const end = new ReceivingEnd();
  const [chunk] = senderIn(1).cut([Buffer.from('short')]);
  const [aligned, askew] = [0, 8].map((offset) => {
    const memory = new Uint8Array(offset + chunk.length);
    memory.set(chunk, offset);
    return memory.subarray(offset);
  });
  end.arrive(aligned);
  expect(end.places).toEqual([aligned.buffer]);
  const copying = new ReceivingEnd();
  copying.arrive(askew);
  expect([copying.texts, copying.places.includes(askew.buffer)]).toEqual([['short'], false]);
});

test('chunks in another order within the window come out in order, and duplicates once', () => {
  const end = new ReceivingEnd();
  const [a, b, c, d] = cut(senderIn(1), LONG).concat(cut(senderIn(1), ''));
  [c, b, b, a, a, c].forEach((chunk) => end.take(chunk));
  expect(d).toBeUndefined();
  expect(end.texts).toEqual([LONG]);
  expect([end.counters.duplicates, end.faults]).toEqual([3, []]);
});

test('a chunk beyond the window breaks the link, once, and nothing more of its gen gets through', () => {
  const sender = senderIn(2);
  const end = new ReceivingEnd();
  const chunks = ['0', '1', '2', '3', '4', '5', '6'].flatMap((text) => cut(sender, text));
  [0, 5, 6, 1, 2].forEach((index) => end.take(chunks[index]));
  expect(end.faults).toEqual([{ kind: 'gap', expected: 1, got: 5 }]);
  expect([end.texts, end.counters.broken, end.pool.leased]).toEqual([['0'], 3, 0]);
});

test('a broken link works again in the next gen', () => {
  const sender = senderIn(2);
  const end = new ReceivingEnd();
  const chunks = ['0', '1', '2', '3', '4', '5'].flatMap((text) => cut(sender, text));
  [0, 5].forEach((index) => end.take(chunks[index]));
  sender.enter(3);
  cut(sender, 'again').forEach((chunk) => end.take(chunk));
  expect([end.texts, end.receiver.isBroken]).toEqual([['0', 'again'], false]);
});

test('a gap that is not filled in time is a stall', () => {
  const end = new ReceivingEnd();
  const [first, second, third] = cut(senderIn(1), LONG);
  end.take(first, 1_000);
  end.check(1_099);
  end.take(third, 1_099);
  end.check(1_099);
  expect(end.faults).toEqual([]);
  end.check(1_100);
  expect(end.faults).toEqual([{ kind: 'stall', expected: 1, waitedMs: 100 }]);
  end.take(second, 1_101);
  expect([end.texts, end.pool.leased, end.counters.partial]).toEqual([[], 0, 1]);
});

test('what a sender says to have sent, and did not arrive, is a stall', () => {
  const sender = senderIn(1);
  const end = new ReceivingEnd();
  cut(sender, 'there').forEach((chunk) => end.take(chunk, 0));
  const promise = (nowMs: number): void => {
    const chunk = readChunk(sender.tail(), RUN, end.counters);
    if (chunk !== null) end.receiver.promised(chunk, nowMs);
  };
  promise(50);
  end.check(1_000);
  expect(end.faults).toEqual([]);
  cut(sender, 'lost');
  promise(2_000);
  promise(2_080);
  end.check(2_099);
  expect(end.faults).toEqual([]);
  end.check(2_100);
  expect(end.faults).toEqual([{ kind: 'stall', expected: 1, waitedMs: 100 }]);
});

test('a disconnect breaks a link that carried something, and no other', () => {
  const idle = new ReceivingEnd();
  idle.receiver.enter(1);
  expect(idle.receiver.disconnected()).toBeNull();
  const busy = new ReceivingEnd();
  cut(senderIn(1), 'data').forEach((chunk) => busy.take(chunk));
  expect(busy.receiver.disconnected()).toEqual({ kind: 'disconnected' });
  expect(busy.receiver.disconnected()).toBeNull();
});

test('chunks of lower gens, former lives and other processes of the name are dropped, each counted', () => {
  const end = new ReceivingEnd();
  cut(senderIn(2, 5), 'now').forEach((chunk) => end.take(chunk));
  cut(senderIn(1, 5), 'lower gen').forEach((chunk) => end.take(chunk));
  cut(senderIn(2, 4), 'former life').forEach((chunk) => end.take(chunk));
  cut(senderIn(2, 6), 'other process').forEach((chunk) => end.take(chunk));
  expect([end.texts, end.counters.stale, end.counters.foreign]).toEqual([['now'], 2, 1]);
  expect(end.receiver.expected).toBe(1);
});

test('entering a gen lets go of an incomplete frame of the one before', () => {
  const end = new ReceivingEnd();
  end.take(cut(senderIn(1), LONG)[0]);
  expect([end.pool.leased, end.budget.usedBytes]).toEqual([1, 47]);
  end.receiver.enter(2);
  expect([end.pool.leased, end.budget.usedBytes, end.counters.partial]).toEqual([0, 0, 1]);
  cut(senderIn(2, 9), 'reborn').forEach((chunk) => end.take(chunk));
  expect(end.texts).toEqual(['reborn']);
});

test('a gen is entered by whoever runs the node, and by no chunk', () => {
  const end = new ReceivingEnd({ enters: false });
  end.receiver.enter(1);
  cut(senderIn(1), 'now').forEach((chunk) => end.take(chunk));
  cut(senderIn(7), 'too early').forEach((chunk) => end.take(chunk));
  expect([end.texts, end.counters.early, end.receiver.gen]).toEqual([['now'], 1, 1]);
  end.receiver.enter(7);
  cut(senderIn(7), 'entered').forEach((chunk) => end.take(chunk));
  expect([end.texts, end.faults]).toEqual([['now', 'entered'], []]);
});

test.each([true, false])(
  'of a sender whose life is known no other is heard, though it comes first (strict: %s)',
  (strict) => {
    const end = new ReceivingEnd({ strict, incarnation: 5 });
    for (const incarnation of [4, 6, 2 ** 50])
      cut(senderIn(1, incarnation), 'stranger').forEach((chunk) => end.take(chunk));
    cut(senderIn(1, 5), 'known').forEach((chunk) => end.take(chunk));
    expect([end.texts, end.counters.stale, end.counters.foreign]).toEqual([['known'], 1, 2]);
  },
);

test('a lenient receiver that is told of more than has come takes what comes in its turn, and breaks if nothing does', () => {
  const sender = new LinkSender(SENDER, CHUNK_BYTES);
  const end = new ReceivingEnd({ strict: false });
  const next = (text: string, base: number): Buffer => sender.cut([Buffer.from(text)], base)[0];
  const leap = new LinkSender(SENDER, CHUNK_BYTES).cut([Buffer.from('stranger')], 1e9)[0];
  end.take(next('0', 0), 0);
  end.take(leap, 10);
  end.take(next('1', 0), 20);
  end.take(leap, 500);
  expect([end.texts, end.faults, end.counters.malformed]).toEqual([['0', '1'], [], 2]);
  // An acknowledgement was forged: the sender has let go of what did not come.
  next('lost', 0);
  end.take(next('3', 3), 599);
  expect(end.faults).toEqual([]);
  end.take(next('4', 3), 600);
  expect(end.faults).toEqual([{ kind: 'gap', expected: 2, got: 3 }]);
});

test('a frame beyond the limit or the budget is refused before memory is leased', () => {
  const small = new ReceivingEnd({ maxFrameBytes: 40 });
  cut(senderIn(1), LONG).forEach((chunk) => small.take(chunk));
  expect(small.faults).toEqual([{ kind: 'too-large', bytes: 47, limitBytes: 40 }]);
  const poor = new ReceivingEnd({ budgetBytes: 60 });
  poor.budget.usedBytes = 20;
  cut(senderIn(1), LONG).forEach((chunk) => poor.take(chunk));
  expect(poor.faults).toEqual([{ kind: 'overflow', bytes: 67, limitBytes: 60 }]);
  expect([small.pool.leased, poor.pool.leased, small.counters.unfitting]).toEqual([0, 0, 1]);
});

test('a lenient receiver starts where its sender stands, waits for gaps, and takes what is sent again', () => {
  const sender = new LinkSender(SENDER, CHUNK_BYTES);
  const end = new ReceivingEnd({ strict: false });
  const texts = ['0', '1', '2', '3', '4', '5', '6', '7'];
  const chunks = texts.map((text) => sender.cut([Buffer.from(text)], 2)[0]);
  [2, 7, 3].forEach((index) => end.take(chunks[index]));
  expect([end.texts, end.counters.beyondWindow, end.receiver.expected]).toEqual([['2', '3'], 1, 4]);
  end.check(1_000_000);
  [4, 5, 6, 7].forEach((index) => end.take(chunks[index]));
  expect([end.texts, end.faults]).toEqual([['2', '3', '4', '5', '6', '7'], []]);
});

test.each([true, false])(
  'a chunk that does not continue its frame is counted, and only ends a strict link (%s)',
  (strict) => {
    const sender = senderIn(1);
    const [, middle, ...rest] = cut(sender, LONG);
    const end = new ReceivingEnd({ strict });
    const next = cut(sender, 'next');
    // The start of the frame is that of another: of its second chunk nothing is known.
    [cut(senderIn(1), 'other')[0], middle, ...rest, ...next].forEach((chunk) => end.take(chunk));
    const { malformed, broken } = end.counters;
    expect([end.texts, malformed, broken]).toEqual(strict ? [['other'], 1, 2] : [['other', 'next'], 2, 0]);
    expect([end.faults, end.pool.leased]).toEqual([strict ? [{ kind: 'gap', expected: 1, got: 1 }] : [], 0]);
  },
);

test('a lenient receiver does without a frame that will never fit', () => {
  const sender = new LinkSender(SENDER, CHUNK_BYTES);
  const end = new ReceivingEnd({ strict: false, maxFrameBytes: 40 });
  [...cut(sender, LONG), ...cut(sender, 'next')].forEach((chunk) => end.take(chunk));
  expect([end.texts, end.counters.unfitting, end.faults]).toEqual([['next'], 3, []]);
});

test('a new life of a control sender starts afresh, the former is not heard any more', () => {
  const end = new ReceivingEnd({ strict: false });
  const former = new LinkSender({ run: RUN, incarnation: 1 }, CHUNK_BYTES);
  const latter = new LinkSender({ run: RUN, incarnation: 2 }, CHUNK_BYTES);
  [...cut(former, 'a'), ...cut(latter, 'b'), ...cut(former, 'c')].forEach((chunk) => end.take(chunk));
  expect([end.texts, end.counters.stale]).toEqual([['a', 'b'], 1]);
});

test('a chunk of another run is foreign, whatever else it says', () => {
  const counters = new LinkCounters();
  const [chunk] = new LinkSender({ run: RUN + 1, incarnation: 5 }, CHUNK_BYTES).cut([Buffer.from('hello')]);
  expect([readChunk(chunk, RUN, counters), counters.foreign]).toEqual([null, 1]);
});
