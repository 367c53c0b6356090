/** The adapters that Dawn lists when it is asked for one that there is not. */

export interface ListedAdapter {
  readonly backend: string;
  readonly name: string;
}

/** Reads lines such as ` * backend: 'metal', name: 'Apple M1 Max'`. The null backend computes nothing and is left out. */
export function parseAdapters(text: string): ListedAdapter[] {
  return Array.from(text.matchAll(/^ *\* backend: '([^']*)', name: '(.*)'$/gm), ([, backend, name]) => ({
    backend,
    name,
  })).filter(({ backend }) => backend !== 'null');
}
