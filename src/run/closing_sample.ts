/**
 * The sample at the end of a run: what the model has learnt to write. One that was trained on texts continues two words, one that
 * was trained on chats answers a conversation that was held out; a reward model writes nothing.
 */
import { PackedRows, type PackedCorpus, type Tokenizer } from '../data/index.ts';
import { answerEnds, BadChatTemplate } from '../data/rows/index.ts';
import type { Topology } from '../topology/index.ts';
import type { GenerationOptions, Generator } from './generator.ts';

/** No more than a model was trained to see at once. */
const [mostTokens, temperature] = [240, 0.7];

export interface ClosingSample {
  readonly prompt: string;
  readonly text: string;
}

interface Parts {
  readonly topology: Topology;
  readonly tokenizer: Tokenizer;
  readonly corpora: readonly (PackedCorpus | PackedRows)[];
  readonly signal: AbortSignal;
}

/** Less of it if the run is interrupted; null where there is none. */
export async function closingSample(
  generator: Pick<Generator, 'generate'>,
  { topology, tokenizer, corpora, signal }: Parts,
): Promise<ClosingSample | null> {
  const { objective, training } = topology;
  if (objective.kind === 'attributes') return null;
  const asked = objective.kind === 'chat' ? chatOf(corpora, tokenizer, topology) : { prompt: 'The ' };
  const { prompt } = asked;
  const maxTokens = Math.min(mostTokens, training.sequence_length);
  let text = '';
  for await (const part of generator.generate({ ...asked, maxTokens, temperature, seed: training.seed })) {
    text += part;
    if (signal.aborted) break;
  }
  return { prompt: typeof prompt === 'string' ? prompt : tokenizer.decode(prompt), text };
}

/** A conversation up to where the first answer begins. */
function chatOf(
  corpora: readonly (PackedCorpus | PackedRows)[],
  tokenizer: Tokenizer,
  { data }: Topology,
): Pick<GenerationOptions, 'prompt' | 'stopIds'> {
  const chats = corpora.find((corpus) => corpus instanceof PackedRows && corpus.index.kind === 'chat');
  if (!(chats instanceof PackedRows)) return { prompt: '' };
  const [sample] = chats.samplesOf(chats.sequencesOf('heldOut') > 0 ? 'heldOut' : 'train', 0);
  const { tokens, trained } = chats.read(sample);
  const answer = Array.from(trained).indexOf(1, 1);
  // Where the questions are learnt too, nothing says where the answer begins.
  const end = data.train_on === 'all' ? Math.ceil(tokens.length / 2) : answer;
  const options = data.template_date === undefined ? {} : { date: new Date(data.template_date) };
  return { prompt: Array.from(tokens).slice(0, end), stopIds: endsOf(tokenizer, options) };
}

function endsOf(tokenizer: Tokenizer, options: { readonly date?: Date }): readonly number[] {
  try {
    return answerEnds(tokenizer, options);
  } catch (error) {
    // Rows of a plain prompt and its completion need no template; they end with the separator.
    if (error instanceof BadChatTemplate) return [tokenizer.separatorId];
    throw error;
  }
}
