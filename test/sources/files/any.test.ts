import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeptSpool } from '../../support/kept-spool.ts';
import { compress, cri, Node, rotate } from './parts.ts';

const node = new Node();

/** What happens to a log. A run ends by a kill: of the records that it has committed only a part is there, as if it had come sooner. */
const happening = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ append: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ rotate: true }) },
  { weight: 2, arbitrary: fc.constant({ compress: true }) },
  { weight: 2, arbitrary: fc.record({ kill: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

/** The first records alone. */
async function cut(spool: KeptSpool, share: number): Promise<KeptSpool> {
  const kept = new KeptSpool();
  for (const batch of spool.batches.slice(0, Math.round(share * spool.batches.length))) await kept.append(batch);
  return kept;
}

test('Whatever is written, rotated, compressed and killed, every line is stored once, whole and in order', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 4, maxLength: 14 }), fc.boolean(), async (happenings, alive) => {
      const log = node.log(`pod-${run++}`);
      const paths = [log.replace('/main/0.log', '/*/*.log')];
      const written: string[] = [];
      const rotated: string[] = [];
      node.spool = new KeptSpool();
      node.write(log, '');
      let running = alive ? node.start({ paths }) : undefined;
      for (const each of [...happenings, { kill: 1 }]) {
        if ('append' in each) {
          for (const pieces of each.append) {
            const text = `line ${written.length}`;
            written.push(text);
            for (let n = 0; n < pieces; n++) {
              const last = n === pieces - 1;
              node.write(log, cri(last ? text.slice(n) : text.charAt(n), last ? 'F' : 'P'));
              // A line goes on in the next file.
              if (!last && written.length % 5 === 0) rotated.push(await rotate(log));
            }
          }
        } else if ('rotate' in each) {
          rotated.push(await rotate(log));
        } else if ('compress' in each) {
          if (rotated.length > 0) compress(rotated.shift()!);
        } else {
          running ??= node.start({ paths });
          const { spool } = node;
          await node.until(running, () => spool.rows('logs').length >= written.length);
          await running.stop();
          node.spool = each.kill === 1 ? spool : await cut(spool, each.kill);
          running = alive ? node.start({ paths }) : undefined;
        }
      }
      await running?.stop();
      expect(node.messages).toEqual(written);
    }),
    { numRuns: 40 },
  );
  expect(node.said).toEqual([]);
}, 90_000);
