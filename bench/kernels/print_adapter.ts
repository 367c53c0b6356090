/** For scripts: the adapter that benchmarks choose, as two words: how `cluster.device` names it, and `gpu` or `software`. */
import { benchAdapter, describeAdapter } from './adapter.ts';

const { opened, device } = await benchAdapter(undefined);
console.error(describeAdapter(opened));
// Native threads would hold the process.
process.stdout.write(`${device} ${opened.isSoftware ? 'software' : 'gpu'}\n`, () => process.exit());
