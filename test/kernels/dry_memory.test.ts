/** Memory that nobody has: what repeats is booked at once, and lies where it would lie one by one. */
import { expect, it } from 'vitest';
import { DryMemory, type Taking } from '../../src/kernels/cpu/dry_memory.ts';
import { attention, f32, trace } from '../../src/kernels/index.ts';
import { unit } from '../../src/runtime/testing/index.ts';

/** Programs of more and more scratch: each that is compiled leaves the scratch of the one before as a hole. */
const programs = [256, 512, 1024, 2048].map((tokens) => {
  const heads = f32([1, 1, tokens, 16]);
  return trace(`attention ${tokens}`, { q: heads, k: heads, v: heads }, ({ q, k, v }) => ({
    o: attention({ q, k, v }, { causal: true }),
  }));
});

/** Takings of every kind, drawn by a seed; no deeper than `depth`. */
function drawn(seed: number, depth: number): Taking[] {
  return Array.from({ length: 2 + Math.floor(unit(seed, 0) * 4) }, (_, i): Taking => {
    const choice = unit(seed, 3 * i + 1);
    const size = unit(seed, 3 * i + 2);
    if (choice < 0.25) return { kind: 'program', program: programs[Math.floor(size * programs.length)] };
    if (choice < 0.5 && depth > 0)
      return { kind: 'repeat', count: Math.floor(size * 12), takings: drawn(seed * 31 + i, depth - 1) };
    return { kind: 'range', what: 'rows', bytes: Math.floor(size ** 4 * 200_000) };
  });
}

const oneByOne = (takings: readonly Taking[]): Taking[] =>
  takings.flatMap((taking) =>
    taking.kind === 'repeat' ? Array.from({ length: taking.count }, () => oneByOne(taking.takings)).flat() : [taking],
  );

function memoryOf(takings: readonly Taking[]) {
  const memory = new DryMemory();
  for (const taking of takings) memory.take('test', taking);
  const { usedBytes, scratchBytes, peakBytes } = memory;
  return { usedBytes, scratchBytes, peakBytes };
}

it('takes what repeats as if it were taken one by one', () => {
  let withHoles = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const takings = drawn(seed, 3);
    const memory = memoryOf(takings);
    expect(memory, `seed ${seed}`).toEqual(memoryOf(oneByOne(takings)));
    if (memory.peakBytes > memory.usedBytes) withHoles++;
  }
  expect(withHoles).toBeGreaterThan(50);
});

it('counts a thousand times a thousand ranges, and refuses what no float counts', () => {
  const row: Taking = { kind: 'range', what: 'rows', bytes: 64 };
  const million: Taking = { kind: 'repeat', count: 1000, takings: [{ kind: 'repeat', count: 1000, takings: [row] }] };
  expect(memoryOf([million]).usedBytes).toBe(64e6);
  const memory = new DryMemory();
  expect(() => memory.take('stage', { kind: 'repeat', count: 2 ** 40, takings: [{ ...row, bytes: 2 ** 20 }] })).toThrow(
    'stage: no room for what repeats',
  );
});
