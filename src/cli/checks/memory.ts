/** How many workers fit? Each takes a core and, at most, the memory that the topology file allows it. */
import os from 'node:os';
import { formatBytes, parseTopology } from '../../topology/index.ts';
import { gib, plural } from '../figures.ts';
import type { Finding } from './finding.ts';

export interface MemoryFacts {
  /** That this process may use. */
  readonly cores: number;
  readonly availableBytes: number;
  readonly totalBytes: number;
  /** What a topology file that does not say gives a worker. */
  readonly perWorkerBytes: number;
}

/** The libraries and programs of a process, before the first byte of a model. */
const baseBytes = 256 * 2 ** 20;
const mib = 2 ** 20;

export function checkMemory(): Finding {
  const limit = process.constrainedMemory();
  return judgeMemory({
    cores: os.availableParallelism(),
    availableBytes: process.availableMemory(),
    totalBytes: limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem(),
    perWorkerBytes: parseTopology('name: doctor', 'doctor').cluster.memory_per_worker,
  });
}

export function judgeMemory({ cores, availableBytes, totalBytes, perWorkerBytes }: MemoryFacts): Finding {
  const roomBytes = availableBytes - baseBytes;
  const workers = Math.max(0, Math.min(cores, Math.floor(roomBytes / perWorkerBytes)));
  const fit = workers === 0 ? 'no worker fits' : `${plural(workers, 'worker')} ${workers === 1 ? 'fits' : 'fit'}`;
  const found = `${plural(cores, 'core')}, ${gib(availableBytes)} of ${gib(totalBytes)} free: ${fit} at ${gib(perWorkerBytes)} each`;
  const facts = {
    cores,
    available_bytes: availableBytes,
    total_bytes: totalBytes,
    bytes_per_worker: perWorkerBytes,
    workers,
  };
  if (workers > 0) return { check: 'memory', mark: 'ok', found, mend: null, facts };
  if (roomBytes < mib) {
    return {
      check: 'memory',
      mark: 'fail',
      found,
      mend: 'end other programs, or raise the limit of the container',
      facts,
    };
  }
  const fitting = formatBytes(Math.floor(roomBytes / mib) * mib);
  const mend = `end other programs, or give a worker less: '--set cluster.memory_per_worker=${fitting}'`;
  return { check: 'memory', mark: 'warn', found, mend, facts };
}
