/**
 * The schema of a topology file: one strict section a file under `schema/`. A missing section or key takes its default,
 * an unknown one is an error. `Topology` is the resolved file: every key present, sizes in bytes.
 */
import { z } from 'zod';
import { checkpointSchema } from './schema/checkpoint.ts';
import { clusterSchema } from './schema/cluster.ts';
import { corpusSchema, dataSchema } from './schema/data.ts';
import { evaluationSchema } from './schema/evaluations.ts';
import { modelSchema } from './schema/model.ts';
import { moeSchema } from './schema/moe.ts';
import { objectiveSchema } from './schema/objective.ts';
import { optimizerSchema } from './schema/optimizer.ts';
import { parallelismSchema } from './schema/parallelism.ts';
import { recoverySchema } from './schema/recovery.ts';
import { trainingSchema } from './schema/training.ts';

export const topologySchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .meta({ allowed: 'letters, digits, ".", "_" and "-", beginning with a letter or a digit' })
    .default('run')
    .describe('Name of the run; its directory begins with it.'),
  from: z
    .string()
    .min(1)
    .nullable()
    .meta({ allowed: 'the path of a run directory or of a checkpoint, `hf:` and a folder of Hugging Face, or null' })
    .default(null)
    .describe(
      'Model that the run begins with, instead of initial values: the parameters of the newest checkpoint of a run, of a checkpoint, or, as ' +
        '`hf:DIR`, of a folder as Hugging Face lays it out. All else is that of a new run. Relative to this file; a run that has a checkpoint of its own does not read it again.',
    ),
  cluster: clusterSchema.prefault({}).describe('Where the run lives: nodes, workers, devices.'),
  model: modelSchema.prefault({}).describe('The architecture and its sizes.'),
  moe: moeSchema.optional().describe('Mixture of experts, for architectures that have experts.'),
  parallelism: parallelismSchema.prefault({}).describe('The logical mesh.'),
  training: trainingSchema.prefault({}).describe('Length, batch and evaluation.'),
  objective: objectiveSchema.prefault({}).describe('What the model is trained towards.'),
  optimizer: optimizerSchema.prefault({}).describe('The update rule and the learning rate.'),
  data: dataSchema.prefault({}).describe('What to train on.'),
  evaluations: z
    .array(evaluationSchema)
    .default([])
    .meta({ allowed: 'a list of evaluations' })
    .describe('What is scored beside the part of `data` that is held out.'),
  checkpoint: checkpointSchema.prefault({}).describe('Checkpoints on disk.'),
  recovery: recoverySchema.prefault({}).describe('What to do about failures.'),
});

/** A resolved topology file. `moe` is present exactly when `model.architecture` has experts. */
export type Topology = z.output<typeof topologySchema>;
export type ClusterSection = z.output<typeof clusterSchema>;
export type ModelSection = z.output<typeof modelSchema>;
export type MoeSection = z.output<typeof moeSchema>;
export type ParallelismSection = z.output<typeof parallelismSchema>;
export type TrainingSection = z.output<typeof trainingSchema>;
export type ObjectiveSection = z.output<typeof objectiveSchema>;
export type OptimizerSection = z.output<typeof optimizerSchema>;
export type DataSection = z.output<typeof dataSchema>;
export type CorpusSection = z.output<typeof corpusSchema>;
export type EvaluationSection = z.output<typeof evaluationSchema>;
export type CheckpointSection = z.output<typeof checkpointSchema>;
export type SentinelSection = Topology['recovery']['sentinel'];

/** The keys of a section that a model follows from. */
export const keysOf = (section: 'model' | 'moe'): string[] =>
  Object.keys(section === 'model' ? modelSchema.shape : moeSchema.shape);
