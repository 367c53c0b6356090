/**
 * A layer of a pattern is one block on the residual stream, or two beside each other: `mamba`, `mamba+moe`. A Mamba whose projections
 * are mixtures names them: `mamba(conv gate out)` (arXiv 2401.04081 §5.2).
 */
export type BlockKind = 'attention' | 'mlp' | 'mamba' | 'moe';
export type Projection = 'conv' | 'gate' | 'out';

export type LayerPattern =
  | { readonly kind: 'blocks'; readonly blocks: readonly BlockKind[] }
  | { readonly kind: 'inner'; readonly mixtures: ReadonlySet<Projection> };

const blocks: readonly BlockKind[] = ['attention', 'mlp', 'mamba', 'moe'];
const projections: readonly Projection[] = ['conv', 'gate', 'out'];

/** Reads a layer of a pattern. Throws `TypeError` for what is none. */
export function layerPatternOf(text: string): LayerPattern {
  const inner = /^mamba\(([a-z ]+)\)$/.exec(text);
  if (inner !== null)
    return { kind: 'inner', mixtures: new Set(inner[1].split(' ').map((word) => named(projections, word))) };
  return { kind: 'blocks', blocks: text.split('+').map((word) => named(blocks, word)) };
}

function named<Word extends string>(words: readonly Word[], text: string): Word {
  const word = words.find((each) => each === text);
  if (word === undefined)
    throw new TypeError(`a layer cannot have ${JSON.stringify(text)}; ${words.join(', ')} are known`);
  return word;
}
