/**
 * Loaded before everything else into each thread of each process of a run (`node --import`): counts the messages that the
 * thread's system is given, where a delivery filter would judge them, and writes the counts down when the thread ends.
 * Processes that this one starts are started by way of `TROUPE_PROBED_NODE`, a script that loads this into them too.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { Delivery } from '../src/runtime/system/delivery.ts';
import { Post } from '../src/runtime/system/post.ts';
import type { CountedRoute } from './counted_route.ts';

const { TROUPE_PROBED_NODE: node, TROUPE_PROBED_COUNTS: folder } = process.env;
if (node === undefined || folder === undefined) throw new Error('the probe is loaded by the benchmark `control` only');
process.execPath = node;

const counts = new Map<string, CountedRoute>();
const { receive } = Object.getOwnPropertyDescriptors(Post.prototype);
Object.defineProperty(Post.prototype, 'receive', {
  ...receive,
  value(this: Post, delivery: Delivery): void {
    const { lane, kind, message, to, from } = delivery.route;
    const key = `${lane} ${kind} ${message} ${to} ${from}`;
    const counted = counts.get(key);
    if (counted === undefined) counts.set(key, { system: this.outside, lane, kind, message, to, from, count: 1 });
    else counted.count += 1;
    receive.value?.call(this, delivery);
  },
});

process.on('exit', () => {
  if (counts.size === 0) return;
  writeFileSync(join(folder, `${process.pid}-${threadId}.json`), JSON.stringify([...counts.values()]));
});
