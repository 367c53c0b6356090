/** `troupe launch --dry-run`: all that a launch checks before it starts anything, and the plan of the run. */
import { batchesOf } from '../run/batch_source.ts';
import { foundRemarks, rehearsedBlend, rehearsedRows, tableRemarks } from '../run/corpora.ts';
import { tokenizerOf, topologyOfEvaluation } from '../run/corpus_specs.ts';
import { checkReplayFolder } from '../run/routing_source.ts';
import { checkRunServer } from '../run/run_server.ts';
import { skippedText, type Blend, type FoundCorpus, type Tokenizer } from '../data/index.ts';
import type { Topology } from '../topology/index.ts';
import { visibleText } from '../visible_text.ts';
import { byteUnit, count, inUnit, percent } from './figures.ts';
import { stdout } from './output.ts';
import { showPlan } from './show_plan.ts';
import { numbers, table, words } from './table.ts';

interface Rehearsed {
  readonly topology: Topology;
  /** Folder of the topology file. */
  readonly baseDir: string;
  readonly runDir: string;
  /** SHA-256 of the module of sublayers, which is run only when it has this one; null where there is none. */
  readonly sublayersDigest: string | null;
}

/** Prints the corpora and the plan; returns the exit code of `troupe plan`. Throws what a launch would. */
export async function rehearse({ topology, baseDir, runDir, sublayersDigest }: Rehearsed): Promise<number> {
  checkReplayFolder(topology, baseDir);
  await checkRunServer(topology, baseDir);
  const tokenizer = tokenizerOf(topology, baseDir);
  const texts = await rehearsedBlend(topology, baseDir, tokenizer);
  if (texts !== null) showTexts(topology, texts);
  const rows = await rehearsedRows(topology, baseDir, tokenizer);
  if (rows.length > 0) for (const line of rowLines(rows)) stdout.print(visibleText(line));
  for (const { name } of topology.evaluations) {
    for (const line of await evaluationLines(name, topologyOfEvaluation(topology, name), { baseDir, tokenizer })) {
      stdout.print(visibleText(line));
    }
  }
  const exitCode = await showPlan(topology, baseDir, { sublayersDigest });
  stdout.print(`dry run: nothing was started or written; the run would be written to ${runDir}`);
  return exitCode;
}

function showTexts(topology: Topology, { corpora, blend }: { corpora: readonly FoundCorpus[]; blend: Blend }): void {
  const data = { corpora: blend.corpora, weights: blend.shares, evaluations: new Map(), tokenBytes: null };
  const { remarks } = batchesOf(data, { ...topology, evaluations: [] });
  for (const line of corporaLines(corpora, blend, topology.training)) stdout.print(visibleText(line));
  for (const remark of remarks) stdout.print(`${remark}\n`);
}

/** What an evaluation finds; `topology` has its data. */
async function evaluationLines(
  name: string,
  topology: Topology,
  { baseDir, tokenizer }: { readonly baseDir: string; readonly tokenizer: Tokenizer },
): Promise<string[]> {
  const texts = await rehearsedBlend(topology, baseDir, tokenizer);
  const rows = await rehearsedRows(topology, baseDir, tokenizer);
  const columns = [words('texts'), numbers('files'), numbers('tokens')];
  const ofTexts = (texts?.corpora ?? []).map(({ spec, files }, at) => [
    ...[spec.name, String(files.length), count(texts?.blend.corpora[at].index.tokenCount ?? 0)],
  ]);
  return [
    `evaluation ${name}`,
    ...(ofTexts.length === 0 ? [] : [...table(columns, ofTexts).map((line) => `  ${line}`), '']),
    ...(rows.length === 0 ? [] : rowLines(rows)),
  ];
}

function rowLines(corpora: Awaited<ReturnType<typeof rehearsedRows>>): string[] {
  const columns = [
    ...[words('rows'), numbers('rows'), numbers('cut'), numbers('dropped'), numbers('tokens'), numbers('learnt')],
  ];
  const lines = corpora.map(({ name, counts }) => [
    ...[name, count(counts.rows), count(counts.truncated), count(counts.dropped)],
    ...[count(counts.tokens), count(counts.trainedTokens)],
  ]);
  const remarks = corpora.flatMap(({ name, counts }) => foundRemarks(name, counts));
  return [...table(columns, lines).map((line) => `  ${line}`), ...remarks, ''];
}

/** An epoch is a corpus' training text once. */
function corporaLines(corpora: readonly FoundCorpus[], blend: Blend, training: Topology['training']): string[] {
  const sizes = corpora.map(({ files }) => files.reduce((sum, { bytes }) => sum + bytes, 0));
  const unit = byteUnit(sizes);
  const trainedTokens = training.steps * training.global_batch_size * training.sequence_length;
  const columns = [
    ...[words('corpus'), numbers('share'), numbers('files'), numbers('left out'), numbers(unit.name)],
    ...[numbers('tokens'), numbers('epochs')],
  ];
  const rows = corpora.map(({ spec, files, filesFound }, at) => {
    const { index, trainTokens } = blend.corpora[at];
    return [
      spec.name,
      percent(blend.shares[at]),
      String(files.length),
      String(filesFound - files.length),
      inUnit(sizes[at], unit),
      count(index.tokenCount),
      ((trainedTokens * blend.shares[at]) / trainTokens).toFixed(2),
    ];
  });
  const left = corpora.flatMap(({ spec, skipped }) => {
    const text = skippedText(spec, skipped);
    return text === '' ? [] : [`  left out of ${spec.name}: ${text}`];
  });
  return ['corpora', ...table(columns, rows).map((line) => `  ${line}`), ...left, ...corpora.flatMap(tableRemarks), ''];
}
