/** What `npm run provide` does where WebGPU has no adapter: every branch, with stand-ins for the programs. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { backportsOf } from '../../src/cli/backports.ts';
import type { GpuAnswer } from '../../src/cli/checks/gpu_answer.ts';
import type { Answer } from '../../src/cli/checks/probe.ts';
import { Shell } from '../../src/cli/shell.ts';
import { VulkanProvision } from '../../src/cli/vulkan_provision.ts';
import { slow } from './checks/gpu_adapters.ts';
import { Stubs } from './stubs.ts';

const options = '--yes --no-install-recommends -o DPkg::Lock::Timeout=120';
const packages = 'mesa-vulkan-drivers libvulkan1';
const install = `install ${options} ${packages}`;
const installBackport = `install ${options} --target-release bookworm-backports ${packages}`;
const update = 'update -o DPkg::Lock::Timeout=120 -o APT::Update::Error-Mode=any';
const installing = 'troupe: no adapter for WebGPU: installing mesa-vulkan-drivers with apt-get ...';
const installingBackport =
  'troupe: no adapter for WebGPU: installing mesa-vulkan-drivers with apt-get, from bookworm-backports ...';

/** A machine's `/etc`, by path below it. */
type Etc = Readonly<Record<string, string>>;
const bookworm = 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=bookworm\n';
const ubuntu = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n';
const stanza = 'Types: deb\nURIs: http://a.mirror/debian\nSuites: bookworm bookworm-updates\nComponents: main\n';
const etcOfBookworm: Etc = { 'os-release': bookworm, 'apt/sources.list.d/debian.sources': stanza };

/** An apt-get with the package, whose driver then is found. */
const apt = `if [ "$1" = install ]; then : > "$DIR/driver"; fi`;
/** Copies like the program of that name. */
const copies = '/bin/cp "$3" "$4"';

interface Provided {
  readonly said: readonly string[];
  readonly calls: readonly string[];
  /** What is below `/etc/apt/sources.list.d` for the backports. */
  readonly source: string | null;
}

async function provide(
  scripts: Readonly<Record<string, string>>,
  { etc = etcOfBookworm, platform = 'linux', isThere = false }: Partial<Machine> = {},
): Promise<Provided> {
  using stubs = new Stubs(scripts);
  for (const [path, text] of Object.entries(etc)) {
    const file = join(stubs.folder, 'etc', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  if (isThere) writeFileSync(join(stubs.folder, 'driver'), '');
  const said: string[] = [];
  await new VulkanProvision({
    shell: new Shell({ PATH: stubs.folder }),
    platform,
    root: stubs.folder,
    look: () => Promise.resolve(answerOf(existsSync(join(stubs.folder, 'driver')))),
    say: (line) => said.push(line),
  }).provide();
  const folder = join(stubs.folder, 'etc/apt/sources.list.d');
  const source = ['sources', 'list']
    .map((ending) => join(folder, `bookworm-backports.${ending}`))
    .find((path) => existsSync(path));
  return {
    said,
    calls: stubs.calls.map((call) =>
      call.replaceAll(/\S*\/(?=(?:troupe-apt|sources\.list\.d))(troupe-apt-\w+\/)?/g, ''),
    ),
    source: source === undefined ? null : readFileSync(source, 'utf8'),
  };
}

interface Machine {
  readonly etc: Etc;
  readonly platform: NodeJS.Platform;
  readonly isThere: boolean;
}

const answerOf = (isThere: boolean): Answer<GpuAnswer> => ({
  kind: 'answered',
  value: { adapters: isThere ? [slow] : [] },
  noise: '',
});

describe.skipIf(process.platform === 'win32')('a driver for WebGPU', () => {
  test('that is there is left alone, in silence, and nothing is run', async () => {
    const there = await provide({ 'apt-get': apt, id: 'echo 0' }, { isThere: true });
    expect(there).toEqual({ said: [], calls: [], source: null });
  });

  test("comes from the backports on Debian 12, whose entry is the machine's own with another suite", async () => {
    expect(await provide({ 'apt-get': apt, id: 'echo 0', install: copies })).toEqual({
      said: [installingBackport],
      calls: [
        'apt-get --version',
        'id -u',
        'install -m 644 bookworm-backports.sources sources.list.d/bookworm-backports.sources',
        `apt-get ${installBackport}`,
      ],
      source: 'Types: deb\nURIs: http://a.mirror/debian\nSuites: bookworm-backports\nComponents: main\n',
    });
  });

  test('comes after the lists of packages, where those do not have the backports yet', async () => {
    const needsLists = [
      `if [ "$1" = update ]; then : > "$DIR/lists"; fi`,
      `if [ "$1" = install ] && [ ! -e "$DIR/lists" ]; then echo "E: The value is invalid" >&2; exit 100; fi`,
      apt,
    ].join('\n');
    const { said, calls } = await provide({ 'apt-get': needsLists, id: 'echo 0', install: copies });
    expect(said).toEqual([installingBackport]);
    expect(calls.slice(3)).toEqual([`apt-get ${installBackport}`, `apt-get ${update}`, `apt-get ${installBackport}`]);
  });

  test('needs no entry where one for the backports is there', async () => {
    const line = 'deb http://a.mirror/debian bookworm-backports main contrib\n';
    const etc = { ...etcOfBookworm, 'apt/sources.list.d/more.list': line };
    expect(await provide({ 'apt-get': apt, id: 'echo 0' }, { etc })).toEqual({
      said: [installingBackport],
      calls: ['apt-get --version', 'id -u', `apt-get ${installBackport}`],
      source: null,
    });
  });

  test.each<[string, Etc]>([
    ['another system', { 'os-release': ubuntu }],
    ['a newer Debian', { 'os-release': bookworm.replace('bookworm', 'trixie') }],
    ['a system that does not say what it is', {}],
  ])("is the system's own on %s", async (_what, etc) => {
    expect(await provide({ 'apt-get': apt, id: 'echo 0' }, { etc })).toEqual({
      said: [installing],
      calls: ['apt-get --version', 'id -u', `apt-get ${install}`],
      source: null,
    });
  });

  test('is installed by a user whom sudo asks for nothing', async () => {
    const sudo = 'shift\n[ "$1" = true ] || exec "$@"';
    const { said, calls, source } = await provide({ 'apt-get': apt, id: 'echo 1000', sudo, install: copies });
    expect(said).toEqual([installingBackport]);
    expect(source).toContain('Suites: bookworm-backports');
    expect(calls.filter((call) => call.startsWith('sudo '))).toEqual([
      'sudo -n true',
      'sudo -n install -m 644 bookworm-backports.sources sources.list.d/bookworm-backports.sources',
      `sudo -n env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get ${installBackport}`,
    ]);
  });

  const root = { 'apt-get': apt, id: 'echo 0' };
  test.each<[string, Readonly<Record<string, string>>, Partial<Machine>, string]>([
    ['without sudo', { 'apt-get': apt, id: 'echo 1000' }, {}, 'not done here: it needs root, and there is no sudo'],
    [
      'whom sudo asks for a password',
      { 'apt-get': apt, id: 'echo 1000', sudo: 'exit 1' },
      {},
      `not done here: sudo asks for a password; 'sudo apt-get install ${packages}' does too`,
    ],
    ['without apt-get', { id: 'echo 0' }, {}, 'not done here: there is no apt-get'],
    ['on a Mac', root, { platform: 'darwin' }, 'not done here: only on Linux is there a driver to install'],
    [
      'with nothing to copy',
      root,
      { etc: { 'os-release': bookworm } },
      'not done here: apt has no entry for bookworm to copy for its backports',
    ],
  ])('is left to a user %s, in one line', async (_who, scripts, machine, reason) => {
    const { said, source } = await provide(scripts, machine);
    expect(source).toBeNull();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^troupe: no adapter for WebGPU, so that its tests are skipped, or fail where CI is set; to mend: \w/,
    );
    expect(said[0].endsWith(` (${reason})`)).toBe(true);
  });

  test('that cannot be had is reported in the words of apt-get', async () => {
    const fails = '[ "$1" = --version ] && exit 0\necho "E: Unable to locate package" >&2; exit 100';
    const { said } = await provide({ 'apt-get': fails, id: 'echo 0', install: copies });
    expect(said).toEqual([
      installingBackport,
      expect.stringMatching(/ are skipped, or fail .*; to mend: .* \(apt-get failed: E: Unable to locate package\)$/),
    ]);
  });

  test('that is installed and of no use is reported', async () => {
    const { said } = await provide({ 'apt-get': '', id: 'echo 0', install: copies });
    expect(said).toEqual([
      installingBackport,
      expect.stringMatching(/\(apt-get has installed mesa-vulkan-drivers, and WebGPU finds: none; not required\)$/),
    ]);
  });

  test('whose entry cannot be written is not installed', async () => {
    const { said, calls } = await provide({ 'apt-get': apt, id: 'echo 0', install: 'exit 1' });
    expect(said.at(-1)).toMatch(/\(bookworm-backports\.sources could not be put into .*sources\.list\.d\)$/);
    expect(calls.at(-1)).toMatch(/^install /);
  });
});

describe('the entry for the backports', () => {
  test("is of the release's own stanza, with the fields that it has, and no comments", () => {
    const security = 'Types: deb\nURIs: http://a/security\nSuites: bookworm-security\nComponents: main\n';
    const off = 'Enabled: no\nTypes: deb\nURIs: http://off/debian\nSuites: bookworm\nComponents: main\n';
    const own =
      'Types: deb\n# here once stood another\nURIs: http://b/debian\nSuites: bookworm\n bookworm-updates\n' +
      'Components: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n';
    expect(backportsOf('bookworm', [security, off, own].join('\n'), '')).toEqual({
      file: 'bookworm-backports.sources',
      text:
        'Types: deb\nURIs: http://b/debian\nSuites: bookworm-backports\n' +
        'Components: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
    });
  });

  test('is of the line, where the machine has its sources in lines', () => {
    const lines =
      '# deb cdrom:[Debian 12] bookworm main\ndeb-src http://a/debian bookworm main\n' +
      'deb http://a/security bookworm-security main\ndeb [signed-by=/key.gpg] http://b/debian bookworm main contrib\n';
    expect(backportsOf('bookworm', '', lines)).toEqual({
      file: 'bookworm-backports.list',
      text: 'deb [signed-by=/key.gpg] http://b/debian bookworm-backports main contrib\n',
    });
  });

  test('cannot be made of nothing', () => {
    expect(backportsOf('bookworm', '', 'deb http://a/debian trixie main\n')).toBeNull();
  });
});

test('npm run provide ends with 0 and says nothing where WebGPU has an adapter', { tags: ['webgpu'] }, () => {
  using stubs = new Stubs({ 'nats-server': '' });
  const script = fileURLToPath(new URL('../../bin/provide.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { ...process.env, PATH: stubs.folder },
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});
