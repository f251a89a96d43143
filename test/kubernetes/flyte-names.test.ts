import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  executionOf,
  generatedName,
  hashedName,
  readPodName,
  searchHash,
  shortName,
} from '../../src/kubernetes/flyte-names.ts';

const EXEC = 'a7hzqtz5cm6k2dnm7k2w';
const LONG = 'nightly-retraining-1f0c3b7a9d2e4f60818';

/** As propeller does it: unique id of 20 characters, name of 50, and 47 for Ray. */
const uniqueId = (...parts: (string | number)[]): string => shortName(parts.join('-'), 20);
const podName = (execution: string, unique: string, attempt: number, longest = 50): string =>
  shortName(`${execution}-${unique}-${attempt}`, longest);

describe('The hash of a name that is too long', () => {
  test.each([
    ['xx', 'flfryc2i'],
    ['xxxxxx', 'fufiti6i'],
    ['x'.repeat(24), 'fuaa3aji'],
    ['x-y', 'fz2jizji'],
    ['x-y-z', 'fxzsoqrq'],
    ['x-y-z-m-n-y-z-m-n-y-z-m-n', 'fe63sz6y'],
    ['my-long-node-name-train-model', 'fpu5v4zq'],
  ])("%s is %s, as Flyte's own tests have it", (name, hash) => {
    expect(hashedName(name)).toBe(hash);
  });

  test('A name that fits is left as it is', () => {
    expect(shortName('x'.repeat(20), 20)).toBe('x'.repeat(20));
  });
});

describe('The execution in the name of a pod', () => {
  test.each([
    [`${EXEC}-n0-0`, EXEC],
    ['axtjrfrj8xck879d2xn8-n0-0-dn7-1', 'axtjrfrj8xck879d2xn8'],
    ['af89l2cwzfjfnjpbxqfh-n3-12', 'af89l2cwzfjfnjpbxqfh'],
    ['f1acbcb2b8146415ea8c-n0-0', 'f1acbcb2b8146415ea8c'],
    ['fc6b601ca7bb04acb911-start-node-0', 'fc6b601ca7bb04acb911'],
    ['rqx7h5d2k9lm4n8vbtcw-a0-0', 'rqx7h5d2k9lm4n8vbtcw'],
    [`${LONG.slice(0, 8)}1f0c3b7a9d2e4f60818-n0-0`, 'nightly-1f0c3b7a9d2e4f60818'],
    ['recommendationengine-web-0', ''],
    ['postgres-0', ''],
    ['api-7d4b9c6f5d-x2x9z', ''],
    [`${EXEC}-n0`, ''],
    ['fpu5v4zq', ''],
  ])('%s: %j', (pod, execution) => {
    expect(executionOf(pod)).toBe(execution);
  });
});

describe('What stands behind it', () => {
  const ARRAY = 'workflows.train.map_fit_6b3bd0353da5de6e84d7982921ead2b3-arraynode';
  const LEGACY = 'workflows.train.map_fit_6b3bd0353da5de6e84d7982921ead2b3';

  test.each([
    ['a node at the top, and its attempt', 'n0-0', '', '', { node_id: 'n0', attempt: '0' }],
    ['a retry', 'n0-1', '', '', { node_id: 'n0', attempt: '1' }],
    ['a dynamic child', 'n0-0-dn7-1', '', '', { node_id: 'n0-0-dn7', attempt: '1' }],
    ['the same, with its label', 'n0-0-dn7-1', 'dn7', '', { node_id: 'n0-0-dn7', attempt: '1' }],
    ['a hashed node', 'fpu5v4zq-2', 'my-long-node-name-train-model', '', { node_id: 'fpu5v4zq', attempt: '2' }],
    ['a node of a sub-workflow, or an index: left open', 'n0-0-n3-0', 'n3', '', { node_id: 'n0-0-n3', attempt: '0' }],
    [
      'an index, where the task is of an array node',
      'n0-0-n3-0',
      '',
      ARRAY,
      { node_id: 'n0-0-n3', attempt: '0', map_index: '3' },
    ],
    ['the same, with its label', 'n0-0-n3-0', 'n3', ARRAY, { node_id: 'n0-0-n3', attempt: '0', map_index: '3' }],
    [
      "the same, by the label's spelling",
      'n0-0-n3-0',
      'n3',
      ARRAY.replace(/[._]/g, '-'),
      { node_id: 'n0-0-n3', attempt: '0', map_index: '3' },
    ],
    ['an array node is no index itself', 'n3-0', '', ARRAY, { node_id: 'n3', attempt: '0' }],
    ['a dynamic node is none', 'n0-0-dn3-0', '', ARRAY, { node_id: 'n0-0-dn3', attempt: '0' }],
    ['an old map task, by its name', 'n0-1-3', '', LEGACY, { node_id: 'n0', attempt: '1', map_index: '3' }],
    ['an old map task, by its label', 'n0-1-3', 'n0', '', { node_id: 'n0', attempt: '1', map_index: '3' }],
    ['one whose element was tried again', 'n0-1-3-2', 'n0', '', { node_id: 'n0', attempt: '1', map_index: '3' }],
    ['an old map task or a node with a number: left open', 'n0-1-3', '', '', {}],
    ['a node with a number, by its label', 'train-2-0', 'train-2', '', { node_id: 'train-2', attempt: '0' }],
    ['parent and child of one name', 'n0-0-n0-1', 'n0', '', { node_id: 'n0-0-n0', attempt: '1' }],
    ['a label of another node', 'n0-0', 'n7', '', {}],
    ['the end of another name', 'n0-0-dn1-1', 'n1', '', {}],
    ['an action of Flyte 2', 'a0-2', 'a0', '', { node_id: 'a0', attempt: '2' }],
    ['longer than a node can be', `${'n'.repeat(21)}-0`, '', '', {}],
    ['no number', 'n0', '', '', {}],
  ])('%s', (_, rest, node, task, said) => {
    expect(readPodName(`${EXEC}-${rest}`, EXEC, node, task)).toEqual(said);
  });

  test('An index is never taken from a name under no execution', () => {
    expect(readPodName('other-n0-0', EXEC, '', '')).toEqual({});
    expect(readPodName(`${EXEC}-n0-0`, '', '', '')).toEqual({});
  });

  test.each([
    ['-master-0', `${EXEC}-n0-0`],
    ['-worker-13', `${EXEC}-n0-0`],
    ['-launcher', `${EXEC}-n0-0`],
    ['-driver', `${EXEC}-n0-0`],
    ['-8f3a2b1c9d4e5f60-exec-1', `${EXEC}-n0-0`],
    ['-raycluster-x2x9z-head', `${EXEC}-n0-0`],
    ['-raycluster-x2x9z-head-7k2fd', `${EXEC}-n0-0`],
    ['-raycluster-x2x9z-small-group-worker-7k2fd', `${EXEC}-n0-0`],
    ['-worker-13', 'fpu5v4zq'],
    ['-driver', 'fpu5v4zq'],
  ])("An operator's %s is taken off %s", (suffix, name) => {
    expect(generatedName(name + suffix)).toBe(name);
  });

  test('A node that is named like it is not', () => {
    expect(generatedName(`${EXEC}-worker-0`)).toBe(`${EXEC}-worker-0`);
    expect(generatedName(`${EXEC}-n0-0`)).toBe(`${EXEC}-n0-0`);
    expect(generatedName('postgres-master-0')).toBe('postgres-master-0');
  });
});

const dns = fc.stringMatching(/^[a-z]([a-z0-9]{0,12}-)?[a-z0-9]{0,12}[a-z]$/);
const attempts = fc.integer({ min: 0, max: 31 });

describe('The search for what made a hash', () => {
  test('finds the attempt that made the name, of any node, at the top and below', () => {
    let hashed = 0;
    const parent = fc.option(fc.tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 0, max: 3 })), {
      nil: undefined,
    });
    fc.assert(
      fc.property(dns, dns, parent, attempts, fc.constantFrom(47, 50), (name, node, above, attempt, longest) => {
        const execution = `${name}-0123456789abcdef012-${name}`.slice(0, 60);
        const unique = above === undefined ? uniqueId(node) : uniqueId(`n${above[0]}`, above[1], node);
        const pod = podName(execution, unique, attempt, longest);
        if (pod.startsWith(execution)) return;
        hashed += 1;
        expect(searchHash(pod, execution, node)).toEqual({ node_id: unique, attempt: String(attempt) });
      }),
      { numRuns: 120 },
    );
    expect(hashed).toBeGreaterThan(20);
  });

  test('says nothing of the hash of another execution or node', () => {
    const pod = podName(LONG, 'train-the-model', 1);
    expect(pod).toMatch(/^f[a-z1-6]{7}$/);
    expect(searchHash(pod, LONG, 'train-the-model')).toEqual({ node_id: 'train-the-model', attempt: '1' });
    expect(searchHash(pod, `${LONG}x`, 'train-the-model')).toBeUndefined();
    expect(searchHash(pod, LONG, 'train-the-mode')).toBeUndefined();
    expect(searchHash(pod, LONG, '')).toBeUndefined();
    expect(searchHash(`${EXEC}-n0-0`, EXEC, 'n0')).toBeUndefined();
  });

  test('finds it behind the index of an old map task', () => {
    const pod = podName(LONG, 'train-the-model', 1);
    expect(searchHash(`${pod}-17`, LONG, 'train-the-model')).toEqual({
      node_id: 'train-the-model',
      attempt: '1',
      map_index: '17',
    });
    expect(searchHash(`${pod}-17-1`, LONG, 'train-the-model')).toMatchObject({ map_index: '17' });
  });
});

test.each<[string, string, string, string, string, object]>([
  ['pods', 'a-0'.repeat(300_000), EXEC, 'n0', '', {}],
  ['executions, of a hashed pod', 'fpu5v4zq', 'x'.repeat(1_000_000), 'n0', '', {}],
  ['nodes, of a hashed pod', 'fpu5v4zq', EXEC, 'n'.repeat(1_000_000), '', {}],
  ['nodes', `${EXEC}-n0-0`, EXEC, 'n0-'.repeat(300_000), '', {}],
  [
    'tasks',
    `${EXEC}-n0-0-n1-0`,
    EXEC,
    '',
    `${'.map_'.repeat(200_000)}x-arraynode`,
    { node_id: 'n0-0-n1', attempt: '0' },
  ],
  ['Ray', `${EXEC}-n0-0${'-raycluster-x2x9z-a'.repeat(12)}`, EXEC, '', '', { node_id: 'n0', attempt: '0' }],
])('Names of %s as no cluster has them are read in no time', (_, pod, execution, node, task, said) => {
  for (let n = 0; n < 20; n++) {
    const generated = generatedName(pod);
    executionOf(generated);
    expect(searchHash(generated, execution, node)).toBeUndefined();
    expect(readPodName(generated, execution, node, task)).toEqual(said);
  }
});

test('What propeller has put together is taken apart again, with the label of its node', () => {
  const execution = fc.constantFrom(EXEC, 'my-run-1', 'f1acbcb2b8146415ea8c');
  fc.assert(
    fc.property(execution, dns, fc.option(attempts, { nil: undefined }), attempts, (name, node, above, attempt) => {
      const unique = above === undefined ? uniqueId(node) : uniqueId('n0', above, node);
      const pod = `${name}-${unique}-${attempt}`;
      expect(readPodName(generatedName(pod), name, node, '')).toEqual({ node_id: unique, attempt: String(attempt) });
    }),
    { numRuns: 500 },
  );
});
