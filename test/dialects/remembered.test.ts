import { expect, test } from 'vitest';
import { SourceMemory } from '../../src/dialects/memory.ts';
import { Remembered } from '../../src/dialects/remembered.ts';
import { Decoder } from '../../src/decode.ts';
import { OPTIONS, source, StillClock } from '../support/decode.ts';
import { spanLine } from './rhapsody/lines.ts';

/** What is remembered behind a request, of as many new keys, by who is made for it alone, as for large requests. */
function request(before: ReadonlyMap<string, string>, first: number, keys: number, most: number): Map<string, string> {
  const memory = new SourceMemory(before);
  const remembered = new Remembered(memory, 'mine:', most);
  for (let n = first; n < first + keys; n++) remembered.put(remembered.key(`${n}`), '');
  return new Map(memory.entries);
}

test('However many requests there are, no more is remembered than the most and what one of them adds', () => {
  let state = new Map<string, string>();
  for (let n = 0; n < 50; n++) state = request(state, n * 10, 10, 100);
  expect(state.size).toBeLessThanOrEqual(110);
  expect(state.has('mine:499')).toBe(true);
});

test('What one dialect remembers takes no room from what another does', () => {
  const others = new Map(Array.from({ length: 1_000 }, (_, n) => [`other:${n}`, '']));
  const memory = new SourceMemory(new Map([['mine:0', ''], ...others]));
  const remembered = new Remembered(memory, 'mine:', 100);
  remembered.put(remembered.key('1'), '');
  expect([...memory.keys()].filter((key) => key.startsWith('mine:'))).toEqual(['mine:0', 'mine:1']);
  expect(memory.size).toBe(1_002);
});

test('A delivery that comes again is known though ten thousand spans of a session came in between', () => {
  const delivery =
    '{"uuid": "0b7a1d52-1111-4222-8333-444455556666", "type": "project:created", "timestamp": "2022-06-02 16:12:25"}';
  const again = delivery.replace('0b7a', '0b7b');
  const spans = Array.from({ length: 10_100 }, (_, n) => spanLine({ span_id: `0x${(n + 1).toString(16)}` }));
  const decoder = new Decoder(source, OPTIONS, new StillClock());
  const bytes = Buffer.from(`${[delivery, ...spans, again, delivery].join('\n')}\n`);
  const { counts } = decoder.feed({ bytes, offset: 0 });
  expect(counts.filtered.get('duplicate')).toBe(1);
});
