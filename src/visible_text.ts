/**
 * Text of others for a terminal: what a model has written, names and messages out of somebody's files. What a terminal
 * would obey (colours, a moved cursor, a new title) is shown as the escape that stands for it; line breaks and tabs stay.
 * A leaf that any folder may use.
 */

/** C0 without tab and line feed, delete, and C1. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** The text with `\x1b` where an escape character was, and so on. */
export function visibleText(text: string): string {
  return text.replaceAll(controls, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** What writes a model's text to an output, which is a terminal or not: a file or a pipe gets it as it is. */
export const textWriter =
  (output: { write(text: string): unknown }, isTerminal: boolean) =>
  (text: string): void =>
    void output.write(isTerminal ? visibleText(text) : text);
