/** The PyTorch peer of a config: `peers/torch_families.py` gets the model's config, and trains the same sizes on as many tokens a step. */
import type { ModelConfig } from '../src/models/config.ts';
import { LEFT_OUT, playTorch, type TorchPlayed } from './torch_peer.ts';

export interface TorchBatch {
  readonly threads: number;
  /** Sequences of a microbatch, tokens of each, and microbatches of a step. */
  readonly batch: number;
  readonly sequence: number;
  readonly microbatches: number;
}

/** The median of `steps` measured steps. Rejects where the peer fails. */
export const torchFamily = (config: ModelConfig, given: TorchBatch, steps: number): Promise<TorchPlayed> =>
  playTorch('torch_families.py', { input: JSON.stringify({ config, ...given, steps: steps + LEFT_OUT }) });
