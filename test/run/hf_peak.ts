/**
 * A process that imports, exports or loads a model and tells the most memory that it has had, in bytes: `hf_peak.ts VERB FROM TO`.
 * `load` starts the model's actors with all of its parameters.
 */
import { exportModel } from '../../src/run/export_model.ts';
import { importModel } from '../../src/run/import_model.ts';
import { openModel } from '../../src/run/open_model.ts';

const [, , verb, from, to] = process.argv;
const notice = (): void => undefined;
if (verb === 'import') await importModel({ folder: from, runDir: to, notice });
if (verb === 'export') await exportModel({ checkpointDir: from, folder: to, shardBytes: 3e8, notice });
if (verb === 'load') {
  await using model = await openModel(from, { sequenceLength: 16, notice });
  await model.logProbs([[1, 2]]);
}
console.log(process.resourceUsage().maxRSS * 1024);
