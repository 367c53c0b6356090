/**
 * A process that imports, exports, loads or trains a model and tells the most memory that it has had, in bytes: `hf_peak.ts VERB FROM TO`.
 * `load` starts the model's actors with all of its parameters; `begin` and `resume` do so in a run of two workers, half of it each, and
 * tell what it was when training was about to begin.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportModel } from '../../src/run/export_model.ts';
import { readHfConfig, topologyOfHf } from '../../src/run/hf_model.ts';
import { importModel } from '../../src/run/import_model.ts';
import { launch } from '../../src/run/launch.ts';
import { openModel } from '../../src/run/open_model.ts';

const [, , verb, from, to] = process.argv;
const notice = (): void => undefined;
const peak = (): number => process.resourceUsage().maxRSS * 1024;

/** Takes a run to where it would train, and no further; it has a checkpoint then. Resolves to its peak by then. */
async function trained(folder: string, runDir: string, resume: boolean): Promise<number> {
  const texts = join(folder, 'words.txt');
  writeFileSync(texts, 'words of a text '.repeat(1000));
  const settings = {
    from: `hf:${folder}`,
    'data.tokenizer': 'bytes',
    'data.blend': [{ name: 'words', glob: texts }],
    'cluster.workers_per_node': 2,
    'cluster.nats.url': 'none',
    'parallelism.pipeline_parallel': 2,
    'training.sequence_length': 16,
  };
  const overrides = Object.entries(settings).map(([key, value]) => ({ path: key.split('.'), value, source: key }));
  const interrupt = new AbortController();
  let bytes = 0;
  await launch(topologyOfHf(await readHfConfig(folder), { overrides }), {
    baseDir: folder,
    runDir,
    resume,
    signal: interrupt.signal,
    observe: ({ kind }) => {
      if (kind !== 'ready') return;
      bytes = peak();
      interrupt.abort();
    },
  });
  return bytes;
}

if (verb === 'import') await importModel({ folder: from, runDir: to, notice });
if (verb === 'export') await exportModel({ checkpointDir: from, folder: to, shardBytes: 3e8, notice });
if (verb === 'load') {
  await using model = await openModel(from, { sequenceLength: 16, notice });
  await model.logProbs([[1, 2]]);
}
const isRun = verb === 'begin' || verb === 'resume';
console.log(isRun ? await trained(from, to, verb === 'resume') : peak());
