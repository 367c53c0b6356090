/**
 * What stopped a task on a thread, as plain data. An error that crosses a thread loses its class and every field but the
 * message; so those that a user can do something about are answered with, and made errors again on the other side.
 */
import { BadTokenizer } from './errors.ts';
import { BadChatTemplate, BadRow, type RowPlace } from './rows/row_error.ts';

export type TaskFault =
  | {
      readonly kind: 'badTokenizer';
      readonly tokenizer: string;
      readonly reason: string;
      readonly remedy: string;
    }
  | {
      readonly kind: 'badRow';
      readonly place: RowPlace;
      readonly key: string | null;
      readonly found: string;
      readonly remedy: string;
    }
  | {
      readonly kind: 'badChatTemplate';
      readonly tokenizer: string;
      readonly reason: string;
      readonly remedy: string;
    }
  /** The file system's, with the fields that Node gives it. */
  | { readonly kind: 'system'; readonly message: string; readonly code: string; readonly syscall: string };

/** What a task answers with. */
export type Answer<T> = { readonly value: T } | { readonly fault: TaskFault };

/** The task as a thread runs it. An error of any other kind is a bug, and thrown. */
export const answering =
  <A extends readonly unknown[], T>(task: (...args: A) => T | Promise<T>) =>
  async (...args: A): Promise<Answer<T>> => {
    try {
      return { value: await task(...args) };
    } catch (error) {
      const fault = faultOf(error);
      if (fault === null) throw error;
      return { fault };
    }
  };

/** The value of an answer. Throws `BadTokenizer`, `BadRow`, `BadChatTemplate`, or an error like that of the file system. */
export function valueOf<T>(answer: Answer<T>): T {
  if ('value' in answer) return answer.value;
  const { fault } = answer;
  switch (fault.kind) {
    case 'badTokenizer':
      throw new BadTokenizer(fault.tokenizer, fault.reason, fault.remedy);
    case 'badRow':
      throw new BadRow(fault.place, fault.key, fault.found, fault.remedy);
    case 'badChatTemplate':
      throw new BadChatTemplate(fault.tokenizer, fault.reason, fault.remedy);
    case 'system': {
      const { message, code, syscall } = fault;
      throw Object.assign(new Error(message), { code, syscall });
    }
  }
}

function faultOf(error: unknown): TaskFault | null {
  if (error instanceof BadTokenizer) {
    const { tokenizer, reason, remedy } = error;
    return { kind: 'badTokenizer', tokenizer, reason, remedy };
  }
  if (error instanceof BadRow) {
    const { path, line, key, found, remedy } = error;
    return { kind: 'badRow', place: { path, line }, key, found, remedy };
  }
  if (error instanceof BadChatTemplate) {
    const { tokenizer, reason, remedy } = error;
    return { kind: 'badChatTemplate', tokenizer, reason, remedy };
  }
  if (error instanceof Error && 'code' in error && 'syscall' in error) {
    return { kind: 'system', message: error.message, code: String(error.code), syscall: String(error.syscall) };
  }
  return null;
}
