/**
 * The values of a `config.json` of Hugging Face, read key by key. What is missing, of another type, or of a value that no model here
 * has, is refused in one line that names the file and the key.
 */
import { keysOf } from '../../topology/index.ts';
import type { Keys } from './keys.ts';

/** A config.json that no model here can be made of; the line says which key, and why. */
export class BadHfConfig extends Error {
  readonly tag = 'BadHfConfig';
  readonly exitCode = 2;
  constructor(file: string, key: string, what: string) {
    super(`${file}: ${key}: ${what}`);
    this.name = 'BadHfConfig';
  }
}

export class HfConfig {
  /** For messages. */
  readonly file: string;
  private readonly values: Readonly<Record<string, unknown>>;
  /** What keys here are below, for messages: `rope_parameters.`. */
  private readonly prefix: string;

  constructor(file: string, values: Readonly<Record<string, unknown>>, prefix = '') {
    this.file = file;
    this.values = values;
    this.prefix = prefix;
  }

  /** Whether the key is there, and not null. */
  has(key: string): boolean {
    return this.raw(key) !== null;
  }

  /** A whole number above 0; `otherwise` where there is none. */
  whole(key: string, otherwise?: number): number {
    const value = this.raw(key) ?? otherwise;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    return this.refuse(key, `${shown(value)}, needs to be a whole number above 0`);
  }

  /** A number; `otherwise` where there is none. */
  number(key: string, otherwise?: number): number {
    const value = this.raw(key) ?? otherwise;
    return typeof value === 'number' ? value : this.refuse(key, `${shown(value)}, needs to be a number`);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.raw(key) ?? otherwise;
    return typeof value === 'boolean' ? value : this.refuse(key, `${shown(value)}, needs to be true or false`);
  }

  /** One of these words, or what it stands for. */
  word<Meaning>(key: string, meanings: Readonly<Record<string, Meaning>>, otherwise: string): Meaning {
    const value = this.raw(key) ?? otherwise;
    if (typeof value === 'string' && Object.hasOwn(meanings, value)) return meanings[value];
    return this.refuse(key, `${shown(value)} is not known here; ${Object.keys(meanings).join(', ')} are`);
  }

  /** What lies below a key; null where there is nothing. */
  below(key: string): HfConfig | null {
    const value = this.raw(key);
    if (value === null) return null;
    if (typeof value !== 'object' || Array.isArray(value))
      return this.refuse(key, `${shown(value)}, needs to be a mapping`);
    return new HfConfig(this.file, value as Readonly<Record<string, unknown>>, `${this.prefix}${key}.`);
  }

  /** Those of its values that are keys of a section of a topology. */
  sectionOf(section: 'model' | 'moe'): Keys {
    const known = keysOf(section);
    return Object.fromEntries(Object.entries(this.values).filter(([key]) => known.includes(key)));
  }

  /** Those that are there, and not null. */
  keys(): string[] {
    return Object.keys(this.values).filter((key) => this.has(key));
  }

  /** Throws the `BadHfConfig` of a key. */
  refuse(key: string, what: string): never {
    throw new BadHfConfig(this.file, `${this.prefix}${key}`, what);
  }

  raw(key: string): unknown {
    return Object.hasOwn(this.values, key) ? (this.values[key] ?? null) : null;
  }
}

const shown = (value: unknown): string =>
  value === undefined || value === null ? 'missing' : `found ${JSON.stringify(value)}`;
