/** What a model is trained towards. */
import { z } from 'zod';
import { choice } from './kinds.ts';

export const objectiveSchema = z.strictObject({
  kind: choice(['next_token', 'chat', 'attributes'])
    .default('next_token')
    .describe(
      '`next_token`: the token that follows each. `chat`: the same, of what the assistant says. `attributes`: a head on the last token gives five attributes from 0 to 4, as a reward model does.',
    ),
});
