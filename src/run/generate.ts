/**
 * Generating takes a checkpoint and writes text: the model's actors run on one worker, whatever mesh trained them.
 * `troupe generate` calls it.
 */
import { answerEnds, userTurn } from '../data/rows/index.ts';
import { findModel } from './found_model.ts';
import { continuation } from './generator.ts';
import { ModelSession } from './model_session.ts';
import type { GenerateOptions } from './run_port.ts';

/** A text is wanted of a model whose tokenizer nobody has given. */
export class NoTokenizer extends Error {
  readonly tag = 'NoTokenizer';
  readonly exitCode = 2;
  constructor(path: string) {
    super(`${path}: its tokenizer is not there; put its tokenizer.json into the folder and import it anew, or use ids`);
    this.name = 'NoTokenizer';
  }
}

/**
 * Writes text as it is made; `notice` hears of damaged checkpoints that are passed over. Throws `NoCheckpoint`,
 * `DamagedCheckpoint`, `NoTextHead`, `NoTokenizer`, `BadChatTemplate`, `ResumeRefused`, and `CodeNotAllowed` where the checkpoint names
 * a module and `allowCode` is not set; of a folder of Hugging Face's what `openModel` throws.
 */
export async function generate({
  checkpointDir,
  prompt,
  isChat = false,
  maxTokens,
  temperature,
  seed,
  allowCode = false,
  write,
  notice,
}: GenerateOptions): Promise<void> {
  const found = await findModel(checkpointDir, { allowCode, notice });
  const { tokenizer, topology } = found;
  if (tokenizer === null) throw new NoTokenizer(found.path);
  const { template_date: date } = topology.data;
  const options = date === undefined ? {} : { date: new Date(date) };
  const asked = isChat
    ? { prompt: userTurn(tokenizer, prompt, options), stopIds: answerEnds(tokenizer, options) }
    : { prompt };
  const session = await ModelSession.start(found);
  try {
    // Of a chat one wants the answer; the template is not what the user wrote.
    if (!isChat) write(prompt);
    const choices = { ...asked, maxTokens, temperature, seed };
    for await (const text of continuation(tokenizer, choices, (ids) => session.logitsAfter(ids))) write(text);
  } finally {
    await session.stop();
  }
}
