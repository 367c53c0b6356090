/** `npm run bench -- NAME`: runs one benchmark and prints both sides, their ratio, the machine and the medians. */
import { readdirSync } from 'node:fs';

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''));
const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run bench -- ${names.join(' | ')}`);
  process.exitCode = 2;
} else {
  const { run } = (await import(`./${name}.bench.ts`)) as { run: (args: readonly string[]) => Promise<void> };
  await run(rest);
}
