/** How large the timed operations are: what a GPU is asked in earnest, a quick look at one, and what a processor can do. */

export interface Scale {
  readonly name: 'full' | 'quick' | 'software';
  /** Sizes of square products, the largest first: its rate is what others are compared with. */
  readonly matmul: readonly number[];
  readonly batched: { readonly count: number; readonly size: number };
  readonly experts: { readonly count: number; readonly rows: number; readonly hidden: number; readonly inner: number };
  /** Of a copy, and of each operand of the element-wise chain. */
  readonly elements: number;
  /** Of norms and softmax. */
  readonly rows: { readonly count: number; readonly width: number };
  readonly attention: {
    readonly batch: number;
    readonly heads: number;
    readonly tokens: number;
    readonly width: number;
  };
  readonly head: { readonly rows: number; readonly hidden: number; readonly vocabulary: number };
  /** Rows that are gathered, combined and summed, of a table as long as the vocabulary. */
  readonly table: { readonly tokens: number; readonly vocabulary: number; readonly width: number };
  /** Of the optimizer. */
  readonly parameters: number;
  readonly scan: {
    readonly batch: number;
    readonly tokens: number;
    readonly channels: number;
    readonly states: number;
  };
}

const full: Scale = {
  name: 'full',
  matmul: [4096, 2048, 1024],
  batched: { count: 32, size: 512 },
  experts: { count: 8, rows: 640, hidden: 1024, inner: 4096 },
  elements: 2 ** 26,
  rows: { count: 32_768, width: 1024 },
  attention: { batch: 8, heads: 16, tokens: 1024, width: 64 },
  head: { rows: 2048, hidden: 1024, vocabulary: 32_000 },
  table: { tokens: 16_384, vocabulary: 32_000, width: 1024 },
  parameters: 50_000_000,
  scan: { batch: 8, tokens: 1024, channels: 2048, states: 16 },
};

const quick: Scale = {
  ...full,
  name: 'quick',
  matmul: [2048, 1024],
  batched: { count: 16, size: 256 },
  experts: { count: 8, rows: 320, hidden: 512, inner: 2048 },
  elements: 2 ** 24,
  rows: { count: 8192, width: 1024 },
  attention: { batch: 2, heads: 16, tokens: 1024, width: 64 },
  head: { rows: 1024, hidden: 1024, vocabulary: 8000 },
  table: { tokens: 8192, vocabulary: 8000, width: 1024 },
  parameters: 10_000_000,
  scan: { batch: 2, tokens: 1024, channels: 1024, states: 16 },
};

const software: Scale = {
  name: 'software',
  matmul: [256, 128],
  batched: { count: 4, size: 64 },
  experts: { count: 4, rows: 32, hidden: 64, inner: 128 },
  elements: 2 ** 20,
  rows: { count: 512, width: 256 },
  attention: { batch: 1, heads: 2, tokens: 128, width: 32 },
  head: { rows: 128, hidden: 64, vocabulary: 1000 },
  table: { tokens: 512, vocabulary: 1000, width: 128 },
  parameters: 1_000_000,
  scan: { batch: 1, tokens: 64, channels: 64, states: 16 },
};

export function scaleFor(isSoftware: boolean, isQuick: boolean): Scale {
  if (isSoftware) return software;
  return isQuick ? quick : full;
}
