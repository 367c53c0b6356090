/**
 * Log lines of actors as data: level, address, text and fields. The system takes one sink and each actor gets a logger
 * that stamps its address. The default sink prints warnings and errors to stderr, one line each.
 */

import { visibleText } from '../../visible_text.ts';
import type { Address } from './address.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface LogRecord {
  readonly level: LogLevel;
  readonly address: Address;
  readonly text: string;
  readonly fields: LogFields;
}
export type LogSink = (record: LogRecord) => void;

export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

/** A logger that stamps `address` on each record. */
export function loggerFor(address: Address, sink: LogSink): Logger {
  const at =
    (level: LogLevel) =>
    (text: string, fields: LogFields = {}) =>
      sink({ level, address, text, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Prints warnings and errors to stderr. */
export const stderrSink: LogSink = ({ level, address, text, fields }) => {
  if (level === 'debug' || level === 'info') return;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${String(value)}`);
  process.stderr.write(visibleText(`${level} ${address}: ${text}${rest.join('')}\n`));
};
