/**
 * `topK` in generated code: sixteen elements at a time are compared with the smallest that is kept, and only where one is
 * larger are they looked at one by one. Of random rows that is a few times ln(width): one pass over the memory.
 */
import { f32x4, i32, i32x4, v128, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Local } from '../cpu/wasm/function.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { LEAST_KEY, type TopK } from './top_k_keys.ts';

/** Most that are kept in registers, and most groups that code is written out for. */
const MOST_KEPT = 32;
const MOST_GROUPS = 32;
const LANES = 4;
const VECTOR_BYTES = 16;
const CHUNK_VECTORS = 4;

/** Where the results go. */
interface Chosen {
  readonly values: WasmOperand;
  readonly indices: WasmOperand;
}

/** Returns false where there is no such code. */
export function emitTopK(kernel: Kernel, x: WasmOperand, chosen: Chosen, { k, groups, keep }: TopK): boolean {
  const [rows, columns] = x.type.shape;
  const width = Number(columns);
  const size = width / groups;
  if (size % LANES !== 0 || k > MOST_KEPT || groups > MOST_GROUPS) return false;
  const kept = new KeptLanes(kernel, x, k);
  const best = new KeptLanes(kernel, x, 2);
  kernel.rows(rows, width, (row, start) => {
    const groupAt = (g: number): I32 => i32.add(start, i32.const(g * size * LANES));
    if (keep === groups) {
      kept.clear();
      kept.scan(start, start, width);
    } else {
      const worths = Array.from({ length: groups }, (_, g) => {
        best.clear();
        best.scan(start, groupAt(g), size);
        return kernel.f.add(best.keys[0], best.keys[1]);
      });
      kept.clear();
      worths.forEach((_, g) =>
        kernel.fn.if(i32.ltS(rankOf(worths, g), i32.const(keep)), () => kept.scan(start, groupAt(g), size)),
      );
    }
    kept.store(row, start, chosen);
  });
  return true;
}

/** How many groups are worth more, or as much and stand before it. */
function rankOf(worths: readonly V128[], group: number): I32 {
  return worths
    .filter((_, other) => other !== group)
    .map((worth, i) => {
      const isMore = v128.anyTrue(f32x4.lt(worths[group], worth));
      const isLess = v128.anyTrue(f32x4.lt(worth, worths[group]));
      return i < group ? i32.ltU(isLess, i32.const(1)) : isMore;
    })
    .reduce((sum, one) => i32.add(sum, one), i32.const(0));
}

/** The largest so far, largest first: each key in all lanes of a register, its index in those of another. */
class KeptLanes {
  readonly keys: readonly Local<'v128'>[];
  private readonly indices: readonly Local<'v128'>[];
  private readonly kernel: Kernel;
  private readonly x: WasmOperand;

  constructor(kernel: Kernel, x: WasmOperand, k: number) {
    this.kernel = kernel;
    this.x = x;
    this.keys = Array.from({ length: k }, () => kernel.fn.let(f32x4.const(0), 'key'));
    this.indices = Array.from({ length: k }, () => kernel.fn.let(f32x4.const(0), 'index'));
  }

  clear(): void {
    for (const key of this.keys) this.kernel.fn.set(key, f32x4.const(-Infinity));
  }

  /** Looks at `count` elements from byte `from` of the row that begins at byte `start`. */
  scan(start: I32, from: I32, count: number): void {
    const { fn } = this.kernel;
    const vectors = count / LANES;
    const chunked = vectors - (vectors % CHUNK_VECTORS);
    const first = fn.let(from, 'from');
    const chunksEnd = fn.let(i32.add(first, i32.const(chunked * VECTOR_BYTES)), 'chunks');
    const end = fn.let(i32.add(first, i32.const(vectors * VECTOR_BYTES)), 'end');
    for (const [a, b, size] of [
      [first, chunksEnd, CHUNK_VECTORS],
      [chunksEnd, end, 1],
    ] as const) {
      if (size === 1 ? chunked === vectors : chunked === 0) continue;
      fn.loop(a, b, size * VECTOR_BYTES, (at) => this.look(start, at, size));
    }
  }

  /** Stores what was kept of row number `row`. */
  store(row: I32, start: I32, { values, indices }: Chosen): void {
    const { kernel, x } = this;
    const k = this.keys.length;
    this.indices.forEach((index, i) => {
      const place = kernel.fn.let(i32.add(i32.mul(row, i32.const(k)), i32.const(i)));
      kernel.storeOne(indices, index, kernel.elementAt(place));
      const at = kernel.in(start, kernel.elementAt(kernel.integer(indices, place)));
      kernel.storeOne(values, kernel.splat(x, at), kernel.elementAt(place));
    });
  }

  private look(start: I32, at: I32, vectors: number): void {
    const { kernel, x } = this;
    const { fn, f } = kernel;
    const loaded = Array.from({ length: vectors }, (_, v) => kernel.load(x, at, v * VECTOR_BYTES));
    // NaN is smaller than anything here, too: the lesser operand comes second.
    const largest = loaded.reduce((most, vector) => f.larger(vector, most), f.constant(LEAST_KEY));
    fn.if(this.isKept(largest), () => {
      const end = fn.let(i32.add(at, i32.const(vectors * VECTOR_BYTES)), 'end');
      fn.loop(at, end, LANES, (place) => {
        const key = f.larger(kernel.splat(x, place), f.constant(LEAST_KEY));
        fn.if(this.isKept(key), () => this.insert(key, i32.shrU(i32.sub(place, start), i32.const(2))));
      });
    });
  }

  private isKept(key: V128): I32 {
    return v128.anyTrue(f32x4.lt(this.keys[this.keys.length - 1], key));
  }

  /** Puts a key behind all that are at least as large; the smallest goes. */
  private insert(key: V128, index: I32): void {
    const { fn } = this.kernel;
    const { keys, indices } = this;
    const indexLanes = fn.let(i32x4.splat(index));
    const isBehind = keys.map((other) => fn.let(f32x4.lt(other, key)));
    for (let j = keys.length - 1; j >= 0; j--) {
      const [newKey, newIndex] =
        j === 0
          ? [key, indexLanes]
          : [
              v128.bitselect(keys[j - 1], key, isBehind[j - 1]),
              v128.bitselect(indices[j - 1], indexLanes, isBehind[j - 1]),
            ];
      fn.set(keys[j], v128.bitselect(newKey, keys[j], isBehind[j]));
      fn.set(indices[j], v128.bitselect(newIndex, indices[j], isBehind[j]));
    }
  }
}
