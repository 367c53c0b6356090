/**
 * Debian's newer packages for a release: a suite beside the release's own, on the same servers. Its entry is this
 * machine's own entry with another suite, so that whatever mirror it has is used.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../system_error.ts';

/** A file below `/etc/apt/sources.list.d`. */
export interface AptSource {
  readonly file: string;
  readonly text: string;
}

/** An entry for the backports of `release`, from one for the release itself; null where there is none to copy. */
export function backportsOf(release: string, deb822: string, oneLine: string): AptSource | null {
  const suite = `${release}-backports`;
  const stanzas = deb822.split(/\n\s*\n/).map((stanza) => stanza.replaceAll(/^#.*\n?/gm, '').trim());
  const stanza = stanzas.find((text) => suitesOf(text).includes(release) && !/^Enabled: *no$/im.test(text));
  if (stanza !== undefined) {
    return { file: `${suite}.sources`, text: `${stanza.replace(suitesField, `Suites: ${suite}`)}\n` };
  }
  const entry = new RegExp(String.raw`^deb +(?:\[[^\]]*\] +)?\S+ +(?=${release} )`, 'm').exec(oneLine);
  if (entry === null) return null;
  const [line] = oneLine.slice(entry.index).split('\n', 1);
  return { file: `${suite}.list`, text: `${entry[0]}${suite}${line.slice(entry[0].length + release.length)}\n` };
}

/** A field's further lines are indented. */
const suitesField = /^Suites:(.*(?:\n[ \t].*)*)$/im;

const suitesOf = (stanza: string): readonly string[] => suitesField.exec(stanza)?.[1].trim().split(/\s+/) ?? [];

/** What apt reads here; `root` is the folder that holds `etc`. */
export class AptSources {
  readonly folder: string;
  readonly #list: string;

  constructor(root: string) {
    this.folder = join(root, 'etc/apt/sources.list.d');
    this.#list = join(root, 'etc/apt/sources.list');
  }

  /** The entry to be added for the backports of `release`: null if one is there; undefined if there is none to copy. */
  missing(release: string): AptSource | null | undefined {
    const oneLine = textOf(this.#list);
    const names = namesIn(this.folder).filter((name) => /\.(sources|list)$/.test(name));
    const all = [oneLine, ...names.map((name) => textOf(join(this.folder, name)))];
    const named = new RegExp(String.raw`^[^#\n]*\b${release}-backports\b`, 'm');
    if (all.some((text) => named.test(text))) return null;
    return backportsOf(release, textOf(join(this.folder, 'debian.sources')), oneLine) ?? undefined;
  }
}

/** The name of this Debian's release, such as `bookworm`; null on any other system. */
export function debianRelease(root: string): string | null {
  const text = textOf(join(root, 'etc/os-release'));
  if (!/^ID="?debian"?$/m.test(text)) return null;
  return /^VERSION_CODENAME="?(\w+)"?$/m.exec(text)?.[1] ?? null;
}

function textOf(path: string): string {
  return orIfMissing(() => readFileSync(path, 'utf8'), '');
}

function namesIn(folder: string): readonly string[] {
  return orIfMissing(() => readdirSync(folder), []);
}

function orIfMissing<T>(read: () => T, missing: T): T {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return missing;
    throw error;
  }
}
