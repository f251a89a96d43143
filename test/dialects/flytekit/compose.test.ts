import { expect, test } from 'vitest';
import { StepComposer, type Settled } from '../../../src/dialects/flytekit/compose.ts';
import { Identities } from '../../../src/dialects/flytekit/identities.ts';
import { NOWHERE, Origins } from '../../../src/origin.ts';
import { Privacy } from '../../../src/privacy/index.ts';
import { PRIVACY_DEFAULTS } from '../../../src/privacy/rules.ts';

const origins = new Origins({});
const PODS = Array.from({ length: 300 }, (_, pod) => origins.of({ ...NOWHERE, pod: `p-${pod}` }));
/** More than are kept, and few of one pod. */
const MANY = 9_000;

function composer(): { settle: (execution: number, pod: number, node?: string) => Settled } {
  const identities = new Identities();
  const steps = new StepComposer(new Privacy(PRIVACY_DEFAULTS));
  return {
    settle: (execution, pod, node) => {
      const id = `f${execution}`;
      const uri = node === undefined ? '' : `s3://b/metadata/propeller/ml-production-${id}/${node}/data/0/outputs.pb`;
      return steps.settle(identities.of(id, 'w.train', 'ml', 'production'), PODS[pod]!, uri);
    },
  };
}

test('what is known of executions has one bound for all pods of a node together', () => {
  const { settle } = composer();
  const first = settle(0, 0);
  for (let other = 1; other < 1_000; other++) settle(other, other % 300);
  expect(settle(0, 0)).toBe(first);
  for (let other = 1; other < MANY; other++) settle(other % 100, other % 300);
  expect(settle(0, 0)).toBe(first);
  for (let other = 300; other < MANY + 300; other++) settle(Math.floor(other / 300), other % 300);
  expect(settle(0, 0)).not.toBe(first);
  expect(settle(0, 0)).toEqual(first);
});

test('and so has what the paths of files say of them', () => {
  const { settle } = composer();
  const [plain, first] = [settle(0, 0), settle(0, 0, 'n0')];
  expect(first.identity.fragment).toContain('"node_id":"n0"');
  for (let other = 1; other < 1_000; other++) settle(other % 50, 1, `n${other}`);
  expect(settle(0, 0, 'n0')).toBe(first);
  for (let other = 0; other < 2 * MANY; other++) settle(other % 1_000, 1, `n${Math.floor(other / 1_000)}`);
  expect(settle(0, 0)).toBe(plain);
  expect(settle(0, 0, 'n0')).not.toBe(first);
  expect(settle(0, 0, 'n0')).toEqual(first);
});
