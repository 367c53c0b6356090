/**
 * An actor system without any machine learning: counters count the words of texts, a tally sums what they find, and a
 * counter that crashes on a text is started again by its supervisor while the others go on.
 *
 *     node --conditions=troupe-source examples/word_count.ts     (in a clone; Node 24)
 *     node word_count.ts                                           (where troupe is installed)
 */
import { z } from 'zod';
import { ask, createLocalSystem, defineProtocol, tell } from 'troupe';

// What an actor takes is a table: tells are sent and forgotten, asks are answered. The tables type both ends.
const tallyProtocol = defineProtocol('tally', {
  add: tell({ args: z.object({ words: z.number() }) }),
  refused: tell({ args: z.object({ text: z.number() }) }),
  total: ask({ args: z.object({ texts: z.number() }), reply: z.object({ words: z.number(), refused: z.number() }) }),
});
const counterProtocol = defineProtocol('counter', {
  count: tell({ args: z.object({ text: z.string(), id: z.number() }) }),
});

const system = createLocalSystem({ name: 'words', logSink: ({ level, text }) => console.log(`(${level}: ${text})`) });

const tally = system.spawn(tallyProtocol, 'words/tally', () => {
  let words = 0;
  let refused = 0;
  let texts = 0;
  let whenAll = (): void => undefined;
  const heard = (): void => {
    texts += 1;
    whenAll();
  };
  return {
    add: (found) => {
      words += found.words;
      heard();
    },
    refused: () => {
      refused += 1;
      heard();
    },
    // Answered later, when so many texts have been heard of; other messages are taken meanwhile.
    total: (asked, context) => {
      const reply = context.defer<{ words: number; refused: number }>();
      whenAll = () => {
        if (texts >= asked.texts) reply.resolve({ words, refused });
      };
      whenAll();
      return reply;
    },
  };
});

// A factory is called again for each restart: the new counter knows nothing of the text that ended the old one.
const counters = [0, 1].map((n) =>
  system.spawn(counterProtocol, `words/counter-${n}`, (scope) => ({
    count: ({ text, id }) => {
      if (text.includes('\0')) {
        scope.ref(tallyProtocol, 'words/tally').tell.refused({ text: id });
        throw new Error(`text ${id} is binary`);
      }
      // A ref names the tally, never its place: it may live on another thread or node.
      scope.ref(tallyProtocol, 'words/tally').tell.add({ words: text.split(/\s+/).filter(Boolean).length });
    },
  })),
);

const texts = [
  'to be or not to be',
  'all the world is a stage',
  'bin\0ary',
  'and one man in his time plays many parts',
];
texts.forEach((text, id) => counters[id % counters.length].tell.count({ text, id }));

const { words, refused } = await tally.ask.total({ texts: texts.length }, { timeoutMs: 5_000 });
console.log(`${words} words in ${texts.length - refused} texts, ${refused} refused`);
await system.stop();
