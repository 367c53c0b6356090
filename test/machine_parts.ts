/**
 * What a machine may lack that some tests need: a nats-server, and an adapter for WebGPU. A test says so by a tag, a file
 * by a line `// @module-tag nats-server`. Where the part cannot be had they are skipped, and the end of the run names them;
 * under `CI` nothing is skipped, and they fail.
 */
import { relative } from 'node:path';
import type { Reporter } from 'vitest/node';
import { askGpus } from '../src/cli/checks/gpu.ts';
import { findNatsServer } from '../src/runtime/cluster/nats_server.ts';
import { NatsServerMissing } from '../src/runtime/cluster/nats_server_errors.ts';
import { isCi } from './ci.ts';

export interface MachinePart {
  readonly tag: 'nats-server' | 'webgpu';
  /** For the line at the end of a run. */
  readonly lacked: string;
  readonly isThere: () => Promise<boolean>;
}

export const machineParts: readonly MachinePart[] = [
  { tag: 'nats-server', lacked: 'no nats-server', isThere: () => Promise.resolve(isNatsServerThere()) },
  { tag: 'webgpu', lacked: 'no adapter for WebGPU (a GPU, or a Vulkan driver for the processor)', isThere: hasAdapter },
];

/** Those that this machine lacks; none under `CI`. */
export async function lackedParts(env: NodeJS.ProcessEnv, parts = machineParts): Promise<readonly MachinePart[]> {
  if (isCi(env)) return [];
  const there = await Promise.all(parts.map(({ isThere }) => isThere()));
  return parts.filter((_, i) => !there[i]);
}

/** Of a test file that has run, as vitest tells it. */
interface Ran {
  readonly moduleId: string;
  readonly children: { allTests(state: 'skipped'): Iterable<{ readonly tags: readonly string[] }> };
}

/** Says at the end what was skipped, why, and how to get what it needs. */
export class SkippedTests implements Reporter {
  readonly #lacked: readonly MachinePart[];
  readonly #say: (line: string) => void;

  constructor(lacked: readonly MachinePart[], say = (line: string): void => console.log(line)) {
    this.#lacked = lacked;
    this.#say = say;
  }

  onTestRunEnd(modules: readonly Ran[]): void {
    for (const { tag, lacked } of this.#lacked) {
      const skipped = modules.map((module) => ({
        name: relative(process.cwd(), module.moduleId),
        tests: Array.from(module.children.allTests('skipped')).filter(({ tags }) => tags.includes(tag)).length,
      }));
      const files = skipped.filter(({ tests }) => tests > 0);
      if (files.length === 0) continue;
      const tests = files.reduce((sum, file) => sum + file.tests, 0);
      this.#say(`\nskipped, since there is ${lacked} here: ${tests} tests; 'npm run provide' installs it where it may`);
      for (const file of files) this.#say(`  ${file.name} (${file.tests})`);
    }
  }
}

function isNatsServerThere(): boolean {
  try {
    findNatsServer();
    return true;
  } catch (error) {
    if (error instanceof NatsServerMissing) return false;
    throw error;
  }
}

async function hasAdapter(): Promise<boolean> {
  const answer = await askGpus();
  return answer.kind === 'answered' && answer.value.adapters.length > 0;
}
