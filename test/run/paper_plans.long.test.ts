/** Every config of a paper is planned within seconds, with memory for none of its parameters. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runSpecOf } from '../../src/actors/placement/run_spec.ts';
import { planRun } from '../../src/run/plan.ts';
import { parseTopology } from '../../src/topology/index.ts';

const folder = fileURLToPath(new URL('../../configs/paper', import.meta.url));

/** They say so themselves. */
const tooLarge = ['nemotron-4-340b', 'switch-c-2048e'];

it.each(readdirSync(folder).map((file) => file.replace('.yaml', '')))(
  '%s is planned, and fits the workers that it names unless it says that it does not',
  async (name) => {
    const topology = parseTopology(readFileSync(`${folder}/${name}.yaml`, 'utf8'), `${name}.yaml`);
    const vocabulary = topology.model.vocab_size!;
    const { workers } = await planRun(await runSpecOf({ topology, baseDir: folder, vocabulary }));
    expect(workers.every(({ fits }) => fits)).toBe(!tooLarge.includes(name));
  },
);
