/** Is this Node new enough? Older ones cannot run TypeScript, nor share memory with onnxruntime. */
import type { Finding } from './finding.ts';
import { isAtLeast, parseVersion, type Version } from './version.ts';

const leastVersion: Version = [24, 0, 0];

export function checkNode(version = process.versions.node): Finding {
  const parsed = parseVersion(version);
  const isEnough = parsed !== null && isAtLeast(parsed, leastVersion);
  return {
    check: 'node',
    mark: isEnough ? 'ok' : 'fail',
    found: isEnough ? version : `${version}, and ${leastVersion[0]} is needed`,
    mend: isEnough ? null : "run 'npm install' and then 'npx troupe', which uses the Node that came with it",
    facts: { version, platform: process.platform, arch: process.arch },
  };
}
