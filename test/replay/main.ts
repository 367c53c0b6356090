/**
 * `npm run replay -- REV`: plays the same small runs with revision REV and with the working tree, on this machine and at
 * the same time, and compares their curves and parameters bit for bit. With `--programs` it compares every program that
 * they generate, too. Exits with 1 where anything differs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkOut } from './checkout.ts';
import { compare } from './compare.ts';
import type { Played } from './player.ts';
import { playBoth, type Asked } from './players.ts';
import { diffPrograms } from './programs.ts';
import { replayRuns } from './runs.ts';

const root = join(import.meta.dirname, '..', '..');
const usage = `usage: npm run replay -- REV [--programs] [--only NAME,NAME]
runs: ${replayRuns.map(({ name }) => name).join(', ')}`;

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = argumentsOf(process.argv.slice(2));
  if (asked === null) {
    console.error(usage);
    return 2;
  }
  const trees = { before: checkOut(root, asked.revision), after: root };
  const folder = mkdtempSync(join(tmpdir(), 'troupe-replay-'));
  try {
    const { before, after } = await playBoth(trees, folder, asked);
    const verdicts = asked.runs.map(({ name }, i) => ({ name, verdict: compare(before[i], after[i]), run: after[i] }));
    for (const { name, verdict, run } of verdicts) console.log(`${name.padEnd(20)} ${inWords(verdict, run)}`);
    const programs = asked.programs
      ? diffPrograms(join(folder, 'before/programs'), join(folder, 'after/programs'))
      : null;
    if (programs !== null) console.log(programs.text || `all ${programs.programs} files of programs are equal`);
    const isSame = verdicts.every(({ verdict }) => verdict.kind !== 'different');
    return isSame && (programs?.text ?? '') === '' ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function argumentsOf(args: readonly string[]): (Asked & { readonly revision: string }) | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { programs: { type: 'boolean', default: false }, only: { type: 'string' } },
    });
    const names = values.only?.split(',');
    const runs = replayRuns.filter(({ name }) => names?.includes(name) ?? true);
    if (positionals.length !== 1 || runs.length !== (names ?? replayRuns).length) return null;
    return { revision: positionals[0], programs: values.programs, runs };
  } catch {
    return null;
  }
}

function inWords(verdict: ReturnType<typeof compare>, run: Played): string {
  switch (verdict.kind) {
    case 'equal':
      return `equal, ${verdict.lines} steps${'ms' in run ? `, ${(run.ms / 1000).toFixed(1)} s` : ''}`;
    case 'different':
      return `DIFFERENT: ${verdict.where}`;
    case 'left out':
      return `left out: ${verdict.why}`;
  }
}
