/** A date in the words of Python's `strftime`, English and in universal time, so that every machine writes the same. */
import { TemplateFault } from './value.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Throws `TemplateFault` for a directive that is not supported. */
export function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, month] = [date.getUTCHours(), MONTHS[date.getUTCMonth()]];
  const day = DAYS[date.getUTCDay()];
  const parts: Readonly<Record<string, string>> = {
    '%': '%',
    Y: String(date.getUTCFullYear()),
    y: two(date.getUTCFullYear() % 100),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    H: two(hours),
    I: two(hours % 12 || 12),
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    p: hours < 12 ? 'AM' : 'PM',
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    F: date.toISOString().slice(0, 10),
  };
  return format.replace(/%(-?)([^])/g, (whole, minus: string, directive: string) => {
    const text = parts[directive];
    if (text === undefined) throw new TemplateFault(`strftime_now does not know ${whole}`);
    return minus === '-' ? text.replace(/^0(?=.)/, '') : text;
  });
}
