/** A version as programs print it, in numbers. */

export type Version = readonly [major: number, minor: number, patch: number];

/** The first version in a text such as `nats-server: v2.9.10` or `24.21.0-nightly`; null without one. */
export function parseVersion(text: string): Version | null {
  const match = /(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? null : [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

export function isAtLeast(version: Version, least: Version): boolean {
  const differing = version.findIndex((part, i) => part !== least[i]);
  return differing < 0 || version[differing] > least[differing];
}

export const showVersion = (version: Version): string => version.join('.');
