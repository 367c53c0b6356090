/** What is scored beside the held-out part of the training data: data of its own, by name. */
import { z } from 'zod';
import { corpusSchema } from './data.ts';
import { globs, whole } from './kinds.ts';
import { objectiveSchema } from './objective.ts';

export const evaluationSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
      .meta({ allowed: 'letters, digits, ".", "_" and "-", beginning with a letter or a digit' })
      .describe('Name of the evaluation, in metrics, events and on the screen.'),
    data: z
      .strictObject({
        blend: z.array(corpusSchema).min(1).exactOptional().describe('Its corpora.'),
        rows: globs().exactOptional().describe('Files of rows of data, in the place of `blend`.'),
      })
      .describe(
        'What is scored, all of it: nothing is held out. Other keys are those of `data`, the tokenizer above all.',
      ),
    objective: objectiveSchema
      .exactOptional()
      .describe("What is scored of it, the run's objective where not given. The model must have the head for it."),
    sequences: whole(1)
      .exactOptional()
      .describe('How many sequences of it, by weight and spread over the data; all, up to 10,000, where not given.'),
    interval: whole(1)
      .exactOptional()
      .describe(
        'Steps between its evaluations; `training.eval_interval` where not given. It is made after the last step too.',
      ),
  })
  .describe('An evaluation: data that is scored now and then, beside training.');
