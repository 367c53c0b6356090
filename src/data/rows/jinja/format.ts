/** Python's two ways to fill in a text: `'%s: %d' % values` and `'{}: {name}'.format(values)`. */
import { reprOf, textOf } from './python_text.ts';
import { TemplateFault, Tuple, numberOf, type Args, type Value } from './value.ts';

/** Throws `TemplateFault` for a directive that is not supported or a count that does not fit. */
export function formatted(template: string, given: Value): string {
  const values: readonly Value[] = given instanceof Tuple ? given.items : [given];
  let next = 0;
  const text = template.replace(
    /%(?:\((\w+)\))?([-0]?)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (...match: readonly (string | undefined)[]) => {
      const [whole, key, flag, width, precision, directive] = match;
      if (directive === '%') return '%';
      const value: Value | undefined =
        key === undefined ? values[next++] : given instanceof Map ? given.get(key) : undefined;
      if (value === undefined) throw new TemplateFault('not enough arguments for format string');
      return padded(directiveText(directive ?? '', value, precision, whole ?? ''), flag ?? '', Number(width ?? 0));
    },
  );
  if (next < values.length && !(given instanceof Map))
    throw new TemplateFault('not all arguments converted during string formatting');
  return text;
}

function directiveText(directive: string, value: Value, precision: string | undefined, whole: string): string {
  if (directive === 's') return textOf(value).slice(0, precision === undefined ? undefined : Number(precision));
  if (directive === 'r') return reprOf(value);
  const number = numberOf(value);
  if (number === undefined) throw new TemplateFault(`${whole}: a number is required`);
  if (directive === 'd' || directive === 'i') return String(Math.trunc(number));
  if (directive === 'f') return number.toFixed(Number(precision ?? 6));
  if (directive === 'x') return Math.trunc(number).toString(16);
  throw new TemplateFault(`${whole} is not supported in a template here`);
}

function padded(text: string, flag: string, width: number): string {
  if (flag === '-') return text.padEnd(width);
  return text.padStart(width, flag === '0' ? '0' : ' ');
}

/** `text.format(…)` with `{}`, `{0}` and `{name}`. Throws `TemplateFault` for any other field. */
export function filledIn(template: string, { positional, named }: Args): string {
  let next = 0;
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (whole: string, field?: string) => {
    if (whole === '{{' || whole === '}}') return whole.slice(1);
    if (field === undefined || !/^\w*$/.test(field))
      throw new TemplateFault(`the field ${whole} of format() is not supported in a template here`);
    const value =
      field === '' ? positional[next++] : /^\d+$/.test(field) ? positional[Number(field)] : named.get(field);
    if (value === undefined) throw new TemplateFault(`format() has no value for ${whole}`);
    return textOf(value);
  });
}
