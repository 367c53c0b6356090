/** The ops of a router's training, as cases of `cases.ts`. */
import * as k from '../../src/kernels/index.ts';
import type { Dim } from '../../src/kernels/index.ts';
import { dynamicRows, type Body, type Case, type Specs } from './case.ts';
import type { Fill } from './kit.ts';

/** No group but one, so that a row may stand at any place. Only logits have gradients. */
const routed =
  (experts: number) =>
  (rows: Dim): Specs => ({
    logits: k.f32([rows, experts]),
    taken: k.i32([rows, 3]),
    live: k.state([rows, 1]),
    load: k.state([1, experts]),
    zWeight: k.state([1]),
  });
const readScores =
  (score: 'softmax' | 'sigmoid', reads: 'scores' | 'logits'): Body =>
  ({ logits, taken, live, load, zWeight }) => ({
    ...k.routerScores({ logits, taken, live, load, zWeight }, { score, reads, run: 1000 }),
  });
const picks =
  (count: number) =>
  (rows: Dim): Specs => ({ picked: k.f32([rows, count]), taken: k.i32([rows, count]) });
const readGates =
  (isSoftmax: boolean, isNormalised: boolean): Body =>
  ({ picked, taken }) =>
    k.routerGates(picked, taken, { isSoftmax, isNormalised, scale: 1.5 });
const routedFill: Fill = {
  taken: (i) => ((i * 5) % 12) - 1,
  live: (i) => Number(i % 5 !== 3),
  load: (i) => 0.5 + ((i * 7) % 11) / 10,
  zWeight: () => 0.3,
};

export const routerCases: readonly Case[] = [
  dynamicRows('routerScores', routed(12), readScores('softmax', 'scores'), routedFill),
  dynamicRows('routerScores, 44 wide, logits', routed(44), readScores('softmax', 'logits'), routedFill),
  dynamicRows('routerScores, sigmoid', routed(12), readScores('sigmoid', 'scores'), routedFill),
  dynamicRows('routerScores, sigmoid, an odd width', routed(11), readScores('sigmoid', 'logits'), routedFill),
  dynamicRows('routerGates', picks(2), readGates(false, false), routedFill),
  dynamicRows('routerGates, normalised', picks(3), readGates(false, true), {
    ...routedFill,
    picked: (i) => 0.5 + ((i * 37) % 101) / 100,
  }),
  dynamicRows('routerGates, a softmax', picks(4), readGates(true, false), routedFill),
  dynamicRows('routerGates, a softmax, normalised', picks(2), readGates(true, true), routedFill),
];
