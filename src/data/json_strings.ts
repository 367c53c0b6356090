/** The text of a JSON file: all its string values in file order, joined by newlines. */
import { refused, type Refusal } from './refusal.ts';

export function jsonStrings(path: string, json: Buffer): string | Refusal {
  const strings: string[] = [];
  try {
    JSON.parse(json.toString('utf8'), (_key, value: unknown) => {
      if (typeof value === 'string') strings.push(value);
      return value;
    });
  } catch (cause) {
    const reason = `it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    return refused(path, reason.split('\n', 1)[0], "exclude it or use format 'text'");
  }
  return strings.join('\n');
}
