/**
 * Reads pages as somebody does who tries everything: in order, in a clone of his own, he writes the files, runs commands
 * and programs, and compares what they print with what the page says. `exceptions.ts` says what is done otherwise.
 */
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Clone, type Printed } from './clone.ts';
import { foundByNpm, interrupted, notRun, services, shortened, typed } from './exceptions.ts';
import { blocksOf, commandsOf, isProgram, type Block } from './page.ts';
import { missingLine } from './quoted.ts';

const interrupting = new URL('../cli/interrupt_at_checkpoint.ts', import.meta.url).href;

/** Whether there is something to do about it. */
export const isTried = (block: Block): boolean => block.language === 'sh' || block.file !== null || isProgram(block);

/** A block with two nodes, and all of the page about a server of one's own. */
const needsServer = (page: string, { text }: Block): boolean =>
  page === 'docs/how-to/external-nats.md' || /start:nodes|cluster\.nodes=[2-9]/.test(text);

/** Defines the tests of these pages: one a block. */
export function readPages(pages: readonly string[]): void {
  let clone: Clone;
  let port: number;
  beforeAll(async () => {
    clone = new Clone();
    port = await freePort();
  });
  afterAll(() => clone[Symbol.dispose]());

  describe.each(pages)('%s', (page) => {
    beforeAll(() => clone.renew());
    afterAll(() => clone.stopServices());

    for (const block of blocksOf(page).filter(isTried)) {
      const tags = needsServer(page, block) ? ['nats-server'] : [];
      test(`line ${block.line}: ${block.text.split('\n')[0]}`, { tags }, async () => {
        await new Reader(clone, page, port).read(block);
      });
    }

    test('leaves no process and no temporary file', async () => {
      await clone.stopServices();
      expect(clone.remains).toEqual({ processes: [], files: [] });
    });
  });
}

class Reader {
  readonly #clone: Clone;
  readonly #replacements: readonly (readonly [from: string, to: string])[];

  constructor(clone: Clone, page: string, port: number) {
    this.#clone = clone;
    const { command, elsewhere } = foundByNpm;
    this.#replacements = [
      ...(shortened[page] ?? []),
      ...(page === foundByNpm.page ? [] : [[command, elsewhere] as const]),
      ['4333', String(port)],
    ];
  }

  async read(block: Block): Promise<void> {
    if (block.file !== null) this.#clone.write(block.file, `${this.#short(block.text)}\n`);
    else if (block.language === 'sh') await this.#runCommands(block);
    else this.#runProgram(block);
  }

  async #runCommands(block: Block): Promise<void> {
    const commands = commandsOf(block).filter((command) => !(command in notRun));
    const script = commands.filter((command) => !(command in services));
    if (script.length > 0) {
      const isInterrupted = script.some((command) => interrupted.includes(command));
      const printed = this.#clone.run(this.#short(script.join('\n')), {
        input: script.map((command) => typed[command] ?? '').join(''),
        nodeOptions: isInterrupted ? `--import=${interrupting}` : '',
      });
      const isRefused = block.output?.startsWith('troupe: ') ?? false;
      expect(isInterrupted ? [130] : isRefused ? [1, 2] : [0], printed.text).toContain(printed.exitCode);
      expectOutput(block, printed);
    }
    for (const command of commands.filter((one) => one in services)) {
      await this.#clone.start(this.#short(command), services[command]);
    }
  }

  #runProgram(block: Block): void {
    const file = `program-${block.line}.ts`;
    this.#clone.write(file, this.#short(block.text));
    const printed = this.#clone.run(`node --conditions=troupe-source ${file}`);
    expect(printed.exitCode, printed.text).toBe(0);
    expectOutput(block, printed);
  }

  #short(text: string): string {
    return this.#replacements.reduce((result, [from, to]) => result.replaceAll(from, to), text);
  }
}

function expectOutput({ output, language, text }: Block, printed: Printed): void {
  // A plan's figures are the same everywhere.
  const areFiguresCompared = language === 'ts' || text.startsWith('npx troupe plan ');
  if (output !== null) expect(missingLine(output, printed.text, { areFiguresCompared }), printed.text).toBeNull();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
