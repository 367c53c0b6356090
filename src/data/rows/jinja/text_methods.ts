/** Methods of a template's texts, with Python's results. Those that count characters count code points. */
import { isSpace, splitAtSpace, strip, stripEnd, stripStart } from './spaces.ts';
import { NONE, TemplateFault, Tuple, itemsOf, numberOf, type Value } from './value.ts';

/** Arguments are in their places, `undefined` where none is given. */
export type Method<T> = (self: T, ...args: (Value | undefined)[]) => Value;

const text = (value: Value | undefined, what: string): string => {
  if (typeof value === 'string') return value;
  throw new TemplateFault(`${what} takes a text`);
};
const count = (value: Value | undefined): number =>
  value === undefined || value === NONE ? -1 : (numberOf(value) ?? -1);
const ends = (value: Value | undefined): readonly string[] =>
  value instanceof Tuple ? value.items.map((item) => text(item, 'this method')) : [text(value, 'this method')];
const characters = (value: Value | undefined): string | undefined =>
  value === undefined || value === NONE ? undefined : text(value, 'strip');
const codePointIndex = (self: string, unit: number): number => (unit < 0 ? -1 : Array.from(self.slice(0, unit)).length);

export const TEXT_METHODS: Readonly<Record<string, Method<string>>> = {
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  title: (self) => titled(self),
  capitalize: (self) => capitalized(self),
  strip: (self, set) => strip(self, characters(set)),
  lstrip: (self, set) => stripStart(self, characters(set)),
  rstrip: (self, set) => stripEnd(self, characters(set)),
  startswith: (self, start) => ends(start).some((each) => self.startsWith(each)),
  endswith: (self, end) => ends(end).some((each) => self.endsWith(each)),
  removeprefix: (self, start) =>
    self.startsWith(text(start, 'removeprefix')) ? self.slice(text(start, '').length) : self,
  removesuffix: (self, end) =>
    self.endsWith(text(end, 'removesuffix')) ? self.slice(0, self.length - text(end, '').length) : self,
  split: (self, separator, most) => split(self, separator, count(most)),
  rsplit: (self, separator, most) => splitFromEnd(self, separator, count(most)),
  splitlines: (self) =>
    self
      .replace(/\r\n?|\n/g, '\n')
      .replace(/\n$/, '')
      .split('\n')
      .filter((line, _, all) => all.length > 1 || line !== ''),
  replace: (self, old, by, most) => replaced(self, text(old, 'replace'), text(by, 'replace'), count(most)),
  find: (self, part) => codePointIndex(self, self.indexOf(text(part, 'find'))),
  rfind: (self, part) => codePointIndex(self, self.lastIndexOf(text(part, 'rfind'))),
  count: (self, part) => self.split(text(part, 'count')).length - 1,
  join: (self, items) =>
    itemsOf(items ?? NONE)
      .map((item) => text(item, 'join'))
      .join(self),
  zfill: (self, width) =>
    (/^[-+]/.test(self) ? self[0] : '') +
    self.replace(/^[-+]/, '').padStart(count(width) - (/^[-+]/.test(self) ? 1 : 0), '0'),
  ljust: (self, width) => self + padding(self, width),
  rjust: (self, width) => padding(self, width) + self,
  partition: (self, separator) => partition(self, text(separator, 'partition'), self.indexOf(text(separator, ''))),
  rpartition: (self, separator) =>
    partition(self, text(separator, 'rpartition'), self.lastIndexOf(text(separator, ''))),
  isdigit: (self) => /^\p{Nd}+$/u.test(self),
  isalpha: (self) => /^\p{L}+$/u.test(self),
  isalnum: (self) => /^[\p{L}\p{N}]+$/u.test(self),
  isspace: (self) => self !== '' && Array.from(self).every(isSpace),
  isupper: (self) => self === self.toUpperCase() && self !== self.toLowerCase(),
  islower: (self) => self === self.toLowerCase() && self !== self.toUpperCase(),
};

/** Each word begins with a capital, the rest is small. */
export const titled = (self: string): string =>
  self.replace(/\p{L}+/gu, (word) => word[0].toUpperCase() + word.slice(1).toLowerCase());
export const capitalized = (self: string): string => {
  const [first = '', ...rest] = Array.from(self);
  return first.toUpperCase() + rest.join('').toLowerCase();
};

function split(self: string, separator: Value | undefined, most: number): Value[] {
  if (separator === undefined || separator === NONE) return splitAtSpace(self, most);
  const parts = self.split(checked(separator));
  if (most < 0 || parts.length <= most + 1) return parts;
  return [...parts.slice(0, most), parts.slice(most).join(text(separator, 'split'))];
}

function splitFromEnd(self: string, separator: Value | undefined, most: number): Value[] {
  if (separator === undefined || separator === NONE) {
    if (most < 0) return splitAtSpace(self, most);
    throw new TemplateFault('rsplit() at white space with a limit is not supported in a template here');
  }
  const parts = self.split(checked(separator));
  if (most < 0 || parts.length <= most + 1) return parts;
  const cut = parts.length - most;
  return [parts.slice(0, cut).join(text(separator, 'rsplit')), ...parts.slice(cut)];
}

function checked(separator: Value): string {
  if (separator === '') throw new TemplateFault('empty separator');
  return text(separator, 'split');
}

const padding = (self: string, width: Value | undefined): string =>
  ' '.repeat(Math.max(0, count(width) - Array.from(self).length));

/** What stands before a place, the separator there, and what stands behind it. */
function partition(self: string, separator: string, at: number): Tuple {
  return new Tuple(at < 0 ? [self, '', ''] : [self.slice(0, at), separator, self.slice(at + separator.length)]);
}

/** The first `most` places where `old` stands, all where it is below 0. */
export function replaced(self: string, old: string, by: string, most: number): string {
  if (most < 0) return old === '' ? ['', ...Array.from(self), ''].join(by) : self.replaceAll(old, () => by);
  const parts = old === '' ? ['', ...Array.from(self), ''] : self.split(old);
  return parts.map((part, index) => (index === 0 ? part : (index <= most ? by : old) + part)).join('');
}
