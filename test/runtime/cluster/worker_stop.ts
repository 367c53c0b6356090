/** A process that starts a node of two workers, uses it, stops it, and then ends because nothing is left to do. */

import { tensorOf } from '../transport/thread_actors.ts';
import { startThreads } from '../transport/threads.ts';

const { sinks, hands, stop, leased, failures } = await startThreads(2);
const seen = await hands[0].ask.feed({ to: sinks[2], bytes: [64, 1024] });
sinks[1].tell.put({ x: tensorOf(1024, 1) });
seen.push(...(await sinks[1].ask.seen()));
process.stdout.write(`${seen.length} seen, ${await leased()} leased, `);
await stop();
process.stdout.write(`${failures.length} failures`);
