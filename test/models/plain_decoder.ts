/**
 * The decoder again, from the papers and in float64, as plain loops over rows of numbers: what the traced programs are
 * compared with. It shares no code with them but the shape of the model.
 */

export type Matrix = readonly (readonly number[])[];
/** Parameters by name; a norm's scale is a matrix of one row. */
export type Parameters = Readonly<Record<string, Matrix>>;

/** Matrix [rows, width] over flat values. */
export function matrixOf(values: ArrayLike<number>, width: number): Matrix {
  const flat = Array.from(values);
  return Array.from({ length: flat.length / width }, (_, row) => flat.slice(row * width, (row + 1) * width));
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0);
const sum = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + b[i]);

/** W x for W stored [out, in]. */
export const apply = (weight: Matrix, x: readonly number[]): number[] => weight.map((row) => dot(row, x));

export function softmax(logits: readonly number[]): number[] {
  const exponentials = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((e) => e / total);
}

export function rmsNorm(x: readonly number[], scale: readonly number[], epsilon: number): number[] {
  const root = Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => (value / root) * scale[i]);
}

export const feedForward = (x: readonly number[], up: Matrix, down: Matrix): number[] =>
  apply(
    down,
    apply(up, x).map((value) => Math.max(value, 0)),
  );

/** Channel i turns with channel i + d/2 by position · theta^(−2i/d). */
function rotate(head: readonly number[], position: number, theta: number): number[] {
  const half = head.length / 2;
  return head.map((value, i) => {
    const angle = position * theta ** (-(2 * (i % half)) / head.length);
    const partner = i < half ? -head[i + half] : head[i - half];
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

/** Causal attention over the rows of one sequence, head beside head, before they are mixed. */
export function attendedHeads(h: Matrix, heads: number, theta: number, at: string, weights: Parameters): Matrix {
  const width = h[0].length / heads;
  const project = (name: string): Matrix => h.map((row) => apply(weights[`${at}.self_attn.${name}_proj.weight`], row));
  const part = (row: readonly number[], head: number): number[] => row.slice(head * width, (head + 1) * width);
  const [q, k, v] = [project('q'), project('k'), project('v')];
  return h.map((_, t) =>
    Array.from({ length: heads }, (__, head) => {
      const query = rotate(part(q[t], head), t, theta);
      const scores = k
        .slice(0, t + 1)
        .map((row, s) => dot(query, rotate(part(row, head), s, theta)) / Math.sqrt(width));
      return softmax(scores).reduce<number[]>(
        (out, p, s) =>
          sum(
            out,
            part(v[s], head).map((value) => p * value),
          ),
        new Array<number>(width).fill(0),
      );
    }).flat(),
  );
}

export interface MixtureRule {
  readonly experts: number;
  readonly topK: number;
  readonly capacity: number;
}

/** Which experts each row goes to and which of those take it, by choice: all first choices, then all second ones. */
export function decide(
  probs: Matrix,
  { topK, experts, capacity }: MixtureRule,
): { expert: number; isKept: boolean }[][] {
  const chosen = probs.map((row) =>
    row
      .map((p, expert) => ({ p, expert }))
      .sort((a, b) => b.p - a.p || a.expert - b.expert)
      .slice(0, topK)
      .map(({ expert }) => ({ expert, isKept: false })),
  );
  const room = new Array<number>(experts).fill(capacity);
  for (let k = 0; k < topK; k++) for (const choices of chosen) choices[k].isKept = room[choices[k].expert]-- > 0;
  return chosen;
}

export interface Expert {
  readonly up: Matrix;
  readonly down: Matrix;
}

/** Σ gate · expert(row) over the experts that take the row; the gate is the probability among all experts. */
export function mixture(h: Matrix, router: Matrix, experts: readonly Expert[], rule: MixtureRule): Matrix {
  const probs = h.map((row) => softmax(apply(router, row)));
  const decided = decide(probs, rule);
  return h.map((row, t) =>
    decided[t]
      .filter(({ isKept }) => isKept)
      .reduce<number[]>(
        (out, { expert }) => {
          const y = feedForward(row, experts[expert].up, experts[expert].down);
          return sum(
            out,
            y.map((value) => probs[t][expert] * value),
          );
        },
        row.map(() => 0),
      ),
  );
}

export interface DecoderShape {
  readonly layers: number;
  readonly heads: number;
  readonly theta: number;
  readonly epsilon: number;
  readonly sequence: number;
  /** Layers with experts, and their rule; capacity is for all rows of the batch. */
  readonly sparse: readonly number[];
  readonly rule: MixtureRule;
}

/** Logits [rows, vocabulary] of a batch of sequences. */
export function decode(tokens: readonly number[], shape: DecoderShape, weights: Parameters): Matrix {
  const { layers, heads, theta, epsilon, sequence, sparse, rule } = shape;
  let x: Matrix = tokens.map((token) => weights['model.embed_tokens.weight'][token]);
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    const normed = (name: string): Matrix => x.map((row) => rmsNorm(row, weights[`${at}.${name}.weight`][0], epsilon));
    const h = normed('input_layernorm');
    const starts = Array.from({ length: tokens.length / sequence }, (_, b) => b * sequence);
    const mixed = starts.flatMap((start) => attendedHeads(h.slice(start, start + sequence), heads, theta, at, weights));
    x = x.map((row, r) => sum(row, apply(weights[`${at}.self_attn.o_proj.weight`], mixed[r])));
    const n = normed('post_attention_layernorm');
    const network = (of: string): Expert => ({
      up: weights[`${at}.mlp.${of}up_proj.weight`],
      down: weights[`${at}.mlp.${of}down_proj.weight`],
    });
    const added = sparse.includes(layer)
      ? mixture(
          n,
          weights[`${at}.mlp.router.weight`],
          Array.from({ length: rule.experts }, (_, e) => network(`experts.${e}.`)),
          rule,
        )
      : n.map((row) => feedForward(row, network('').up, network('').down));
    x = x.map((row, r) => sum(row, added[r]));
  }
  return x.map((row) => apply(weights['lm_head.weight'], rmsNorm(row, weights['model.norm.weight'][0], epsilon)));
}
