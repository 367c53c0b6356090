/**
 * How a gradient is divided for its sum over replicas: what a replica sends are the sums of its maximal blocks of
 * microbatches, and every chunk of a flat arena is summed by one of the replicas. Who sums and who plans both read it here.
 */

/** Maximal aligned power-of-two blocks of the leaves [first, first + count). */
export function blocksOf(first: number, count: number): number {
  let blocks = 0;
  for (let at = first, left = count; left > 0; blocks++) {
    let size = 1;
    while (at % (2 * size) === 0 && 2 * size <= left) size *= 2;
    at += size;
    left -= size;
  }
  return blocks;
}

/** Elements [start, end) of the chunk that one replica owns. */
export function chunkRange(length: number, ranks: number, chunk: number): [number, number] {
  return [Math.floor((length * chunk) / ranks), Math.floor((length * (chunk + 1)) / ranks)];
}
