/** `troupe launch --dry-run`: all that a launch checks before it starts anything, and the plan of the run. */
import { batchesOf } from '../actors/batch_source.ts';
import { rehearsedBlend } from '../actors/corpora.ts';
import { checkRunServer } from '../actors/run_server.ts';
import { loadTokenizer, type FoundCorpus } from '../data/index.ts';
import { meshOf, type Topology } from '../topology/index.ts';
import { byteUnit, inUnit, percent } from './figures.ts';
import { stdout } from './output.ts';
import { showPlan } from './plan.ts';
import { numbers, table, words } from './table.ts';

/** Prints the corpora and the plan; returns the exit code of `troupe plan`. Throws what a launch would. */
export async function rehearse(topology: Topology, baseDir: string, runDir: string): Promise<number> {
  await checkRunServer(topology, baseDir);
  const { corpora, blend } = rehearsedBlend(topology, baseDir, loadTokenizer(topology.data.tokenizer, baseDir));
  const { heldOut } = batchesOf(blend, topology, meshOf(topology).globalMicrobatches);
  for (const line of corporaLines(corpora)) stdout.print(line);
  if (heldOut.rows < heldOut.asked) {
    stdout.print(`held-out text has room for ${heldOut.rows} of ${heldOut.asked} evaluation sequences\n`);
  }
  const exitCode = await showPlan(topology, baseDir);
  stdout.print(`dry run: nothing was started or written; the run would be written to ${runDir}`);
  return exitCode;
}

function corporaLines(corpora: readonly FoundCorpus[]): string[] {
  const sizes = corpora.map(({ files }) => files.reduce((sum, { bytes }) => sum + bytes, 0));
  const weights = corpora.reduce((sum, { spec }) => sum + spec.weight, 0);
  const unit = byteUnit(sizes);
  const columns = [words('corpus'), numbers('share'), numbers('files'), numbers('left out'), numbers(unit.name)];
  const rows = corpora.map(({ spec, files, filesFound }, at) => [
    spec.name,
    percent(spec.weight / weights),
    String(files.length),
    String(filesFound - files.length),
    inUnit(sizes[at], unit),
  ]);
  return ['corpora', ...table(columns, rows).map((line) => `  ${line}`), ''];
}
