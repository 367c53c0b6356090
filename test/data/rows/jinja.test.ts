import { expect, test } from 'vitest';
import { z } from 'zod';
import { Template } from '../../../src/data/rows/jinja/template.ts';
import { parseRow } from '../../../src/data/rows/row_json.ts';
import { TemplateFault } from '../../../src/data/rows/jinja/value.ts';
import { golden } from './golden.ts';

const cases = golden(
  'chat/jinja_cases.json',
  z.object({
    cases: z.array(
      z.object({
        template: z.string(),
        context: z.record(z.string(), z.unknown()),
        output: z.string().optional(),
        error: z.object({ type: z.string(), message: z.string() }).optional(),
      }),
    ),
  }),
).cases;

const render = (template: string, variables: Record<string, unknown> = {}): string =>
  new Template(template).render(variables).text;

test.each(cases)('$template is what the reference makes of it', ({ template, context, output, error }) => {
  if (output !== undefined) expect(render(template, context)).toBe(output);
  else {
    expect(() => render(template, context)).toThrow(TemplateFault);
    if (error?.type === 'TemplateError') expect(() => render(template, context)).toThrow(error.message);
  }
});

const combinations = golden(
  'chat/jinja_combinations.json',
  z.object({
    context: z.record(z.string(), z.unknown()),
    cases: z.array(z.union([z.tuple([z.string(), z.string()]), z.tuple([z.string()])])),
  }),
);

test('values, filters, tests, methods and operators give in all combinations what the reference gives', () => {
  const wrong = combinations.cases.filter(([template, output]) => {
    try {
      return render(template, combinations.context) !== output;
    } catch (error) {
      return output !== undefined || !(error instanceof TemplateFault);
    }
  });
  expect(wrong).toEqual([]);
});

// Expected texts by the rules of the reference: Python's str, repr and slices, Jinja's scopes and white space.
test.each<[string, Record<string, unknown>, string]>([
  ['{% set x = [] %}{{ x[0] is defined }}{{ x[:-1] }}{{ "abc"[::-2] }}{{ "abc"[5:] }}', {}, 'False[]ca'],
  ['{% for k in {"b": 1, "a": 2} %}{{ k }}{% endfor %}', {}, 'ba'],
  ['{% for a, b in [(1, 2), (3, 4)] if a > 1 %}{{ a + b }}/{{ loop.length }}{% endfor %}', {}, '7/1'],
  [
    '{% for x in tree recursive %}{{ x.n }}{% if x.c %}({{ loop(x.c) }}){% endif %}{{ loop.depth }}{% endfor %}',
    { tree: [{ n: 'a', c: [{ n: 'b' }] }] },
    'a(b2)1',
  ],
  ['{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}', { a: 9 }, '199'],
  ['{{ 1 < 2 < 2 }} {{ 1 < 2 == 2 }} {{ (1 < 2) == true }} {{ "a" in "abc" in ["abc"] }}', {}, 'False True True True'],
  ['{{ x is not in [1, 2] and y is not divisibleby(2) }} {{ 4 is divisibleby 2 }}', { x: 3, y: 3 }, 'True True'],
  ['{{ {"a": (1,), "b": ()}.items() | list }} {{ not (x) }}', { x: 0 }, "[('a', (1,)), ('b', ())] True"],
  [
    '{{ "a b  c".split(" ") }}{{ " a b ".split(none, 1) }}{{ "x.y.z".rsplit(".", 1) }}',
    {},
    "['a', 'b', '', 'c']['a', 'b ']['x.y', 'z']",
  ],
  ['{{ 7 / 2 }} {{ 7.0 // 2 }} {{ -7 % 5 }} {{ 2 ** -1 }} {{ true + 1 }} {{ 3 * "ab" }}', {}, '3.5 3.0 3 0.5 2 ababab'],
  [
    '{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 123456789.0 }} {{ 1e-5 }} {{ 1_000 }}',
    {},
    '0.30000000000000004 1e+16 123456789.0 1e-05 1000',
  ],
  [
    '{{ x | tojson(indent=2) }}{{ [] | tojson(indent=2) }}',
    { x: { a: [1, { b: null }], c: {} } },
    '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {}\n}[]',
  ],
  [
    '{% macro f(x, y=x) %}{{ x }}{{ y }}{{ kwargs }}{{ varargs }}{% endmacro %}{{ f(1) }}|{{ f(*[1, 2, 3]) }}|{{ f(**{"x": 3, "z": 4}) }}',
    {},
    "11{}()|12{}(3,)|33{'z': 4}()",
  ],
  ['{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(2) }}', {}, '210'],
  ['  {%- if x -%}  a  {%- endif -%}  b', { x: 1 }, 'ab'],
  ['x\n  {# gone #}\ny {# kept line #}\nz', {}, 'x\ny z'],
  ['{{ "{{ a }} %} {% raw %}" }}{% raw -%}  {%- x %} {%+ endraw %}!', {}, '{{ a }} %} {% raw %}{%- x %} !'],
  ['a\r\nb{{ "\\x41\\u00e9\\101\\q" }}\r\n', {}, 'a\nbAéA\\q'],
  ['{{ x.get("a").b }}{{ x["a"]["b"] }}{{ x.a["b"] }}', { x: { a: { b: 'v' } } }, 'vvv'],
  [
    '{{ ms | map(attribute="c", default="-") | join(",") }}{{ ms | selectattr("r", "equalto", "u") | map(attribute="r") | list }}',
    { ms: [{ r: 'u' }, { r: 'a', c: 1 }] },
    "-,1['u']",
  ],
  ['{{ "ſ" | upper }}{{ "x" | indent(2, true) }}{{ "it\'s an-other" | title }}', {}, "S  xIt's An-Other"],
  [
    '{{ 3|round }}{{ [1, 2][1.0] is defined }}{{ none|map("upper")|list }}{{ "a-b c_d 1.5"|wordcount }}',
    {},
    '3False[]5',
  ],
  [
    '{% for g in ms|groupby("r") %}{{ g.grouper }}{{ g.list|length }}{% endfor %}',
    { ms: [{ r: 'u' }, { r: 'a' }, { r: 'u' }] },
    'a1u2',
  ],
  ['{% set c = cycler("a", "b") %}{{ c.next() }}{{ c.current }}{{ "x" * true }}{{ ["a"] is lower }}', {}, 'abxTrue'],
  ['{{ none is none }}{{ x.y is undefined }}{{ "" or none or 0 }}{{ none == none }}', { x: {} }, 'TrueTrue0True'],
])('%s with %j is %j', (template, variables, text) => {
  expect(render(template, variables)).toBe(text);
});

test.each([
  ['{% include "x" %}', 'line 1: unknown statement "include"'],
  ['a\nb {% do x.append(1) %}', 'line 2: unknown statement "do"'],
  ['{{ x | nosuch }}', 'no filter named "nosuch"'],
  ['{{ x is nosuch }}', 'no test named "nosuch"'],
  ['{% if x %}', 'cannot be parsed'],
  ['a\n{{ x', 'line 2: {{ without }}'],
  ['{% raw %} x', 'raw without endraw'],
  ['{{ "a" $ "b" }}', 'unexpected character "$"'],
])('%j is refused when it is compiled, with %j', (template, reason) => {
  expect(() => new Template(template)).toThrow(reason);
});

test.each([
  ['{{ missing.a }}', "'missing' is undefined"],
  ['{{ x.a.b }}', "'dict object' has no attribute 'a'"],
  ['{{ "a" + 1 }}', "unsupported operand type(s) for +: 'str' and 'int'"],
  ['{{ [1].append(2) }}', 'is unsafe'],
  ['{{ x.update({}) }}', 'is unsafe'],
  ['{{ {"a": 1} + 1 }}', "unsupported operand type(s) for +: 'dict' and 'int'"],
  ['{{ x[1:] }}', "'dict' object has no slices"],
  ['{{ missing|int }}', "'missing' is undefined"],
  ['{{ [1]|indent }}', 'indent takes a text, not list'],
  ['{{ 0 ** -1 }}', 'raised to a negative power'],
  ['{{ 2 ** 60 }}', 'beyond 2^53'],
  ['{{ strftime_now("%Y") }}', 'asks for the date of today'],
  ['{{ range(1000000) }}', 'range too big'],
  ['{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}', 'Maximum call stack'],
  ['{% macro f() %}{% endmacro %}{{ f(1) }}', 'not more than 0'],
])('%j is refused when it is rendered, with %j', (template, reason) => {
  expect(() => render(template, { x: {} })).toThrow(reason);
});

test('the date of a template is the one that it is given, in English and universal time', () => {
  const template = new Template('{{ strftime_now("%d %b %Y %H:%M %A %-d") }}', new Date('2026-03-04T05:06:07Z'));
  expect(template.render({}).text).toBe('04 Mar 2026 05:06 Wednesday 4');
});

test('the marks of turns give their places in the text, and nothing else of a template is changed by them', () => {
  const { text, generations } = new Template(
    '{% for m in ms %}<{{ m }}>{% generation %}{{ m }}!{% endgeneration %}{{ "\\n" }}{% endfor %}',
  ).render({ ms: ['a', '🙂'] });
  expect(text).toBe('<a>a!\n<🙂>🙂!\n');
  expect(generations.map(({ begin, end }) => text.slice(begin, end))).toEqual(['a!', '🙂!']);
});

test('a whole number that is written as a float stays one, and 2 stays 2', () => {
  const x = parseRow('[1.0, 1, 2.5, 1e3, -0.0]');
  expect(render('{{ x }} {{ x | tojson }}', { x })).toBe('[1.0, 1, 2.5, 1000.0, -0.0] [1.0, 1, 2.5, 1000.0, -0.0]');
  const large = { x: parseRow('12345678901234567890') };
  expect(render('{{ x }} {{ [x] | tojson }} {{ x is integer }}', large)).toBe(
    '12345678901234567890 [12345678901234567890] True',
  );
  expect(() => render('{{ x + 1 }}', large)).toThrow("unsupported operand type(s) for +: 'int' and 'int'");
});
