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

/** A unit for the numbers of a table, and how many digits after the point they need to be told apart. */
export interface Unit {
  readonly name: string;
  readonly size: number;
  readonly digits: number;
}

const byteScale = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].map((name, i) => ({ name, size: 1024 ** i }));
const flopScale = ['', 'k', 'M', 'G', 'T', 'P', 'E'].map((prefix, i) => ({ name: `${prefix}FLOP`, size: 1e3 ** i }));

/** The largest unit of which the largest value has at least one. */
export const byteUnit = (values: readonly number[]): Unit => unitOf(byteScale, values);
export const flopUnit = (values: readonly number[]): Unit => unitOf(flopScale, values);

function unitOf(scale: readonly Omit<Unit, 'digits'>[], values: readonly number[]): Unit {
  const most = values.reduce((max, value) => Math.max(max, value), 0);
  const unit = scale.findLast(({ size }) => size <= most) ?? scale[0];
  return { ...unit, digits: most / unit.size < 100 ? 2 : 1 };
}

/** `12.50`; a dash for nothing, so that what is there stands out. */
export const inUnit = (value: number, { size, digits }: Unit): string =>
  value === 0 ? '-' : (value / size).toFixed(digits);

/** `75.30 MiB`, as the errors of memory have it. */
export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;

/** `1.5 GiB`. */
export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
