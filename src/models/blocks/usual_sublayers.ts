/** The sublayers of Switch Transformers, and of the dense decoder that they are compared with. */
import { attention } from './attention.ts';
import { reluFfn } from './relu_ffn.ts';
import type { Sublayers } from '../sublayer.ts';

export const usualSublayers: Sublayers = { mixer: attention, feedForward: reluFfn };
