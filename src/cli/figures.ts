/** Numbers as a person reads them at a glance: counts, rates, durations, shares. Never used for files. */

const units = [
  { size: 1e9, suffix: ' B' },
  { size: 1e6, suffix: ' M' },
  { size: 1e3, suffix: ' k' },
];

/** `850`, `5.2 k`, `2.7 M`. `like` picks the unit of another number, so that two can be compared. */
export function count(value: number, like: number = value): string {
  const unit = units.find(({ size }) => like >= size);
  return unit === undefined ? String(Math.round(value)) : `${(value / unit.size).toFixed(1)}${unit.suffix}`;
}

/** `42 s`, `3 min 20 s`, `1 h 5 min`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1.3 %` for 0.0125. */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Middle of the values, the lower of two; NaN without any. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** `1 worker`, `2 workers`. */
export const plural = (value: number, noun: string): string => `${value} ${noun}${value === 1 ? '' : 's'}`;
