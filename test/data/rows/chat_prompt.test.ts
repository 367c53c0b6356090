/** How a model is asked after training on chats, with the templates that the released library rendered. */
import { expect, test } from 'vitest';
import { BytesTokenizer, CHATML_TOKENS } from '../../../src/data/index.ts';
import { answerEnds, ChatTemplate, userTurn } from '../../../src/data/rows/index.ts';
import { closingOf } from '../../../src/data/rows/turns.ts';
import { FAMILIES, golden, conversationsFile, goldenTokenizer, renderingsFile } from './golden.ts';

const single = golden('chat/conversations.json', conversationsFile).conversations.find(
  ({ messages }) => messages.length === 1 && messages[0].role === 'user',
);

test.each(FAMILIES)('the turn of a user is what the library writes with the template %s', (family) => {
  const rendering = golden(`chat/${family}/expected.json`, renderingsFile).cases.find(
    ({ conversation }) => conversation === single?.name,
  );
  expect(rendering?.with_generation_prompt.text).toBeDefined();
  expect(userTurn(goldenTokenizer(family), String(single?.messages[0].content))).toBe(
    rendering?.with_generation_prompt.text,
  );
});

test.each([
  ['chatml', '<|im_end|>'],
  ['folded_system', '</turn>'],
  ['generation_markers', '<|im_end|>'],
  ['llama3_headers', '<|eot|>'],
  ['mistral_inst', '</s>'],
  ['tools', '<|im_end|>'],
  ['zephyr_bars', '</s>'],
])('an answer ends as the template %s ends it, with %s', (family, closing) => {
  const tokenizer = goldenTokenizer(family);
  expect(closingOf(new ChatTemplate(tokenizer))).toBe(closing);
  // In these files it is what ends a document, too.
  expect(answerEnds(tokenizer)).toEqual([tokenizer.tokenId(closing)]);
});

test('bytes have the tokens of ChatML where they were given them, and are refused where not', () => {
  const bytes = new BytesTokenizer().withSpecials(CHATML_TOKENS);
  expect(answerEnds(bytes)).toEqual([0, bytes.tokenId('<|im_end|>')]);
  expect(() => userTurn(new BytesTokenizer(), 'Hello')).toThrow(/for ChatML the vocabulary lacks/);
});
