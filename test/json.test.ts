import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { members, objectEnd, parseLenient, parseObject, valueText } from '../src/json.ts';

/** JSON as Python or JavaScript or somebody in a hurry writes it. */
const spaced = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, space]) => JSON.stringify(value, null, space));
/** As it is written: there, -0 is 0. */
const object = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);

describe('Lenient JSON', () => {
  test('is JSON where it is JSON', () => {
    fc.assert(
      fc.property(spaced, (text) => {
        expect(parseLenient(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('reads NaN and Infinity as Python writes them, and leaves them in strings', () => {
    expect(parseLenient('{"a": NaN, "b": [Infinity, -Infinity], "NaN": "NaN, \\"Infinity"}')).toEqual({
      a: null,
      b: [null, null],
      NaN: 'NaN, "Infinity',
    });
    expect(parseLenient('NaN')).toBeNull();
    fc.assert(
      fc.property(object, (value) => {
        const text = `{"x": NaN, "y": -Infinity${JSON.stringify(value).replace(/^\{(.?)/, (_, first: string) => (first === '}' ? '}' : `, ${first}`))}`;
        const { x: _x, y: _y, ...rest } = value;
        expect(parseLenient(text)).toEqual({ x: value['x'] ?? null, y: value['y'] ?? null, ...rest });
      }),
    );
  });

  test.each(['', '{', '{"a": nan}', '{"a": NaNa}', '{NaN: 1}', '{"a": "NaN}', '{"a": NaN', "{'a': NaN}", '{"a": 1,}'])(
    'is not %j',
    (text) => {
      expect(parseLenient(text)).toBeUndefined();
    },
  );

  test('An object is no list, no text and no null', () => {
    for (const text of ['[]', '"{}"', 'null', '1', 'NaN', '{']) expect(parseObject(text)).toBeUndefined();
    expect(parseObject(' {"a": 1} ')).toEqual({ a: 1 });
  });
});

describe('Where an object ends', () => {
  test('is where it ends, whatever stands behind it', () => {
    fc.assert(
      fc.property(object, fc.string(), fc.constantFrom(undefined, 2), (value, behind, space) => {
        const text = JSON.stringify(value, null, space);
        expect(objectEnd(text + behind, 0)).toBe(text.length);
        expect(objectEnd(`{"x":${text}`, 5)).toBe(text.length + 5);
      }),
    );
  });

  test('is nowhere when it is cut short, and when there is none', () => {
    const text = '{"a": {"b": "}\\"}", "c": [1, 2]}, "d": "e"}';
    for (let length = 0; length < text.length; length++) expect(objectEnd(text.slice(0, length), 0)).toBe(-1);
    expect(objectEnd('[]', 0)).toBe(-1);
    expect(objectEnd('{}', 1)).toBe(-1);
  });
});

describe('Members', () => {
  test('have the names and values of JSON.parse', () => {
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const found = members(JSON.stringify(value, null, space));
        expect([...found.keys()].sort()).toEqual(Object.keys(value).sort());
        for (const [name, json] of found) expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value[name])));
      }),
    );
  });

  test('keep the text of every value as it was written', () => {
    expect([
      ...members(
        '{"a":1.0, "b" : -0.0 ,"c":12345678901234567890,"d":1e400,"e":[ 1,{"f":"]}"} ],"g":NaN,"h":"\\u00e9"}',
      ),
    ]).toEqual([
      ['a', '1.0'],
      ['b', '-0.0'],
      ['c', '12345678901234567890'],
      ['d', '1e400'],
      ['e', '[ 1,{"f":"]}"} ]'],
      ['g', 'NaN'],
      ['h', '"\\u00e9"'],
    ]);
  });

  test('Of a repeated name the last counts, also when it is spelled in another way', () => {
    expect(members('{"a": 1, "\\u0061": 2}')).toEqual(new Map([['a', '2']]));
    expect(members('{"__proto__": 1, "2": "b", "1": "a"}')).toEqual(
      new Map([
        ['__proto__', '1'],
        ['2', '"b"'],
        ['1', '"a"'],
      ]),
    );
  });

  test('An empty object has none', () => {
    expect(members('{}').size).toBe(0);
    expect(members(' { } ').size).toBe(0);
  });

  test('As text a string is its content, null is nothing, all else is as written', () => {
    expect(valueText('"a\\nb"')).toBe('a\nb');
    expect(valueText('""')).toBe('');
    expect(valueText('null')).toBeUndefined();
    expect(valueText('1.0')).toBe('1.0');
    expect(valueText('{"a": null}')).toBe('{"a": null}');
  });
});
