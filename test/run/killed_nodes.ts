/** Runs whose nodes are killed in the middle, for tests: who is killed when, and what must be left of it, which is nothing. */
import { expect } from 'vitest';
import type { RunEvent } from '../../src/run/run_port.ts';
import type { Played, RunFolder, Settings } from './run_kit.ts';

/** Of a run in one thread whose bits all others must have. */
export const aloneSettings = { 'training.steps': 8, 'moe.record': 'routing' };

const settings = {
  ...aloneSettings,
  'cluster.nodes': 2,
  'cluster.nats.url': 'auto',
  // Whoever waits for a lease of an hour to end has not heard of a death at once.
  'recovery.lease_ms': 3_600_000,
};

export interface Killing {
  readonly node: string;
  /** Killed once, when this goes by for the first time. */
  readonly when: (event: RunEvent) => boolean;
}

export const atStep = (step: number) => (event: RunEvent) => event.kind === 'step' && event.metrics.step === step;
export const atCheckpoint = (step: number) => (event: RunEvent) => event.kind === 'checkpoint' && event.step === step;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Plays with the killings, each once, and expects that no process is left. */
export async function playKilling(
  folder: RunFolder,
  killings: readonly Killing[],
  more: Settings = {},
): Promise<Played> {
  const pids = new Map<string, number>();
  const all: number[] = [];
  const left = new Set(killings);
  const played = folder.play(
    { ...settings, ...more },
    {
      watch: (event) => {
        if (event.kind === 'node') {
          pids.set(event.name, event.pid);
          all.push(event.pid);
        }
        for (const killing of left) {
          if (!killing.when(event)) continue;
          left.delete(killing);
          process.kill(pids.get(killing.node) ?? 0, 'SIGKILL');
        }
      },
    },
  );
  try {
    return await played;
  } finally {
    expect(left.size).toBe(0);
    expect(all.filter(isAlive)).toEqual([]);
  }
}
