import { describe, expect, test } from 'vitest';
import { ARRIVAL, decode, stepLine } from '../support/decode.ts';

const STEP = stepLine();
const AT = '2026-02-19T10:30:44.189512345Z';
const POD = 'a7hzqtz5cm6k2dnm7k2w-n0-0';
const PREFIX = `[pod/${POD}/main] `;

const cri = (stream: string, tag: string, text: string): string => `${AT} ${stream} ${tag} ${text}\n`;

describe('CRI: the files that containerd and CRI-O write', () => {
  test('A whole line has its stream', () => {
    const { steps } = decode(cri('stderr', 'F', STEP));
    expect(steps).toMatchObject([{ step: 'pre_execute', stream: 'stderr', ts: '2026-02-19T10:30:44.189000Z' }]);
    expect(decode(cri('stdout', 'F', 'hello')).logs).toMatchObject([{ message: 'hello', stream: 'stdout' }]);
  });

  test('A line that the runtime cut is put together, in as many pieces as it has', () => {
    const text =
      cri('stderr', 'P', STEP.slice(0, 90)) +
      cri('stderr', 'P', STEP.slice(90, 99)) +
      cri('stderr', 'F', STEP.slice(99));
    expect(decode(text).steps).toMatchObject([{ step: 'pre_execute', lines: 3 }]);
  });

  test('stdout and stderr are put together each for itself, however they are mixed', () => {
    const text = [
      cri('stderr', 'P', STEP.slice(0, 90)),
      cri('stdout', 'P', 'load'),
      cri('stderr', 'P', STEP.slice(90, 200)),
      cri('stdout', 'F', 'ing'),
      cri('stdout', 'F', 'another'),
      cri('stderr', 'F', STEP.slice(200)),
    ];
    const { steps, logs } = decode(text.join(''));
    expect(steps).toMatchObject([{ step: 'pre_execute', stream: 'stderr', lines: 3 }]);
    expect(logs).toMatchObject([
      { message: 'loading', stream: 'stdout', lines: 2 },
      { message: 'another', stream: 'stdout' },
    ]);
  });

  test('What was never finished is told at the end of the input', () => {
    const { rejections, logs } = decode(cri('stderr', 'P', STEP.slice(0, 220)) + cri('stdout', 'P', 'half a li'));
    expect(rejections).toMatchObject([{ reason: 'json_syntax', stream: 'stderr', offset: 0 }]);
    expect(logs).toMatchObject([{ message: 'half a li', stream: 'stdout' }]);
  });

  test('A last piece may be empty, and its blank may be missing', () => {
    expect(decode(cri('stdout', 'P', 'text') + cri('stdout', 'F', '')).logs).toMatchObject([
      { message: 'text', lines: 2 },
    ]);
    expect(decode(`${cri('stdout', 'P', 'text')}${AT} stdout F\n`).logs).toMatchObject([{ message: 'text', lines: 2 }]);
    expect(decode(cri('stdout', 'F', '')).blank).toBe(1);
  });

  test('A line over the limit is one rejection, though each of its pieces is short', () => {
    const piece = 'x'.repeat(1000);
    const { rejections, logs } = decode(
      cri('stdout', 'P', piece).repeat(5) + cri('stdout', 'F', piece) + cri('stdout', 'F', 'next'),
      { max_line_bytes: 3000 },
    );
    expect(rejections).toMatchObject([{ reason: 'line_too_long', lines: 6, offset: 0, cut: true, stream: 'stdout' }]);
    expect(logs).toMatchObject([{ message: 'next' }]);
  });

  test('Tags after the first letter are allowed', () => {
    expect(decode(cri('stdout', 'F:later', 'x')).logs).toMatchObject([{ message: 'x', stream: 'stdout' }]);
  });

  test('A cut line is put together even if thousands of other pods speak in between', () => {
    const others = Array.from({ length: 6000 }, (_, n) => `[pod/p${n}/c] ${AT} stdout F hello\n`);
    const text = [
      `${PREFIX}${cri('stderr', 'P', STEP.slice(0, 90))}`,
      ...others,
      `${PREFIX}${cri('stderr', 'F', STEP.slice(90))}`,
    ];
    expect(decode(text.join('')).steps).toMatchObject([{ pod: POD, lines: 2 }]);
  });
});

describe('Docker: json-file', () => {
  const docker = (log: string, stream = 'stderr'): string => `${JSON.stringify({ log, stream, time: AT })}\n`;

  test('The line is taken out of the record', () => {
    expect(decode(docker(`${STEP}\n`)).steps).toMatchObject([{ step: 'pre_execute', stream: 'stderr' }]);
    expect(decode(docker('hello\r\n', 'stdout')).logs).toMatchObject([
      { message: 'hello', stream: 'stdout', ts: '2026-02-19T10:30:44.189512Z', provenance: 'ts:runtime' },
    ]);
  });

  test('Without a newline it goes on in the next record of its stream', () => {
    const text = [
      docker(STEP.slice(0, 90)),
      docker('lo', 'stdout'),
      docker(`${STEP.slice(90)}\n`),
      docker('ad\n', 'stdout'),
    ];
    const { steps, logs } = decode(text.join(''));
    expect(steps).toMatchObject([{ lines: 2, stream: 'stderr' }]);
    expect(logs).toMatchObject([{ message: 'load', lines: 2, stream: 'stdout' }]);
  });

  test('A record that was cut at the end of the file is stored, and a line in it that was not finished too', () => {
    const { logs } = decode(docker('fine\n', 'stdout') + docker('unfinished', 'stdout') + docker('x\n').slice(0, 20));
    expect(new Set(logs.map(({ message }) => message))).toEqual(
      new Set(['fine', 'unfinished', docker('x\n').slice(0, 20)]),
    );
  });
});

describe('Fluent Bit', () => {
  const kubernetes = {
    pod_name: POD,
    namespace_name: 'ml-production',
    container_name: 'main',
    pod_id: 'uid-1',
    host: 'node-1',
  };
  const record = (fields: Record<string, unknown>): string =>
    `${JSON.stringify({ date: 1771497044.189512, ...fields })}\n`;
  const place = { pod: POD, namespace: 'ml-production', container: 'main', pod_uid: 'uid-1', node: 'node-1' };

  test('The line is taken out of `log`, with the pod of the record', () => {
    expect(decode(record({ log: STEP, stream: 'stderr', kubernetes })).steps).toMatchObject([
      { ...place, stream: 'stderr', node_id: 'n0', attempt: 0 },
    ]);
  });

  test('A line without a time has that of the record', () => {
    const { logs } = decode(record({ log: 'hello\n', kubernetes }));
    expect(logs).toMatchObject([
      {
        message: 'hello',
        ...place,
        ts: '2026-02-19T10:30:44.189512Z',
        provenance: expect.stringContaining('ts:runtime') as string,
      },
    ]);
  });

  test('A person is in one of the labels of a pod, and is not kept', () => {
    const labels = { 'execution-identity': 'jane-doe', 'workflow-name': 'train', anything: 'else' };
    const [step] = decode(record({ log: STEP, kubernetes: { ...kubernetes, labels } })).steps;
    expect(step).toMatchObject({ workflow: 'train', labels: { 'workflow-name': 'train' } });
    expect(JSON.stringify(step)).not.toMatch(/jane|anything/);
  });

  test('Merge_Log On: the keys of the agent are not attributes', () => {
    const merged = `${STEP.slice(0, -1)}, "auc": 0.5, "stream": "stderr", "_p": "F", "kubernetes": ${JSON.stringify(kubernetes)}}\n`;
    const [step] = decode(merged).steps;
    expect(step).toMatchObject({ ...place, stream: 'stderr', attributes: { auc: '0.5' } });
    const log = `{"levelname": "INFO", "message": "hi", "x": 1, "kubernetes": ${JSON.stringify(kubernetes)}}\n`;
    expect(decode(log).logs).toMatchObject([{ message: 'hi', level: 'INFO', ...place, attributes: { x: '1' } }]);
  });

  test('_p says that a line goes on', () => {
    const text =
      record({ log: STEP.slice(0, 90), stream: 'stderr', _p: 'P' }) +
      record({ log: STEP.slice(90), stream: 'stderr', _p: 'F' });
    expect(decode(text).steps).toMatchObject([{ lines: 2, stream: 'stderr' }]);
  });

  test('_p in records without a stream: the next record is read before it is joined', () => {
    const text = record({ log: 'one ', _p: 'P' }) + record({ log: 'line', _p: 'F' }) + record({ log: 'next', _p: 'F' });
    expect(decode(text).logs.map(({ message }) => message)).toEqual(['one line', 'next']);
  });
});

describe('kubectl logs', () => {
  test('--prefix names pod and container', () => {
    expect(decode(`${PREFIX}${STEP}\n`).steps).toMatchObject([
      { pod: POD, container: 'main', node_id: 'n0', attempt: 0 },
    ]);
    expect(decode(`${PREFIX}hello\n`).logs).toMatchObject([{ pod: POD, container: 'main', message: 'hello' }]);
  });

  test('--timestamps gives a time to what has none', () => {
    expect(decode(`${AT} hello\n`).logs).toMatchObject([{ message: 'hello', ts: '2026-02-19T10:30:44.189512Z' }]);
    expect(decode(`2026-02-19T12:30:44.1+02:00 hello\n`).logs).toMatchObject([{ ts: '2026-02-19T10:30:44.100000Z' }]);
  });

  test('Both', () => {
    const { steps, logs } = decode(`${PREFIX}${AT} ${STEP}\n${PREFIX}${AT} hello\n`);
    expect(steps).toMatchObject([{ pod: POD, ts: '2026-02-19T10:30:44.189000Z' }]);
    expect(logs).toMatchObject([{ pod: POD, message: 'hello', ts: '2026-02-19T10:30:44.189512Z' }]);
  });

  test('Lines of several pods in one pipe are joined each with its own', () => {
    const trace = (pod: string): string[] => [
      `[pod/${pod}/c] Traceback (most recent call last):\n`,
      `[pod/${pod}/c]   File "x.py", line 1, in f\n`,
      `[pod/${pod}/c] ValueError: of ${pod}\n`,
    ];
    const [a, b] = [trace('a'), trace('b')];
    const { logs } = decode([a[0], b[0], a[1], b[1], b[2], a[2]].join(''));
    expect(logs).toHaveLength(2);
    for (const pod of ['a', 'b']) {
      const message = trace(pod)
        .map((line) => line.slice(`[pod/${pod}/c] `.length))
        .join('')
        .trimEnd();
      expect(logs).toContainEqual(expect.objectContaining({ pod, message, error_type: 'ValueError', lines: 3 }));
    }
  });

  test('An empty line is blank with its prefix too', () => {
    expect(decode(`${PREFIX}\n${AT} \n${PREFIX}${AT} \n`)).toMatchObject({ blank: 3, lines: 3 });
  });
});

describe('Lines that only look like a transport are left as they are', () => {
  test.each([
    '[pod/x] hello',
    '[pod/x/y]hello',
    '[pod/x/y/z] hello',
    '[pod/x y/z] hello',
    '[pods/x/y] hello',
    AT,
    `${AT}hello`,
    '2026-02-19T10:30:44,189 hello',
    '2026-02-19T10:30Z hello',
    '2026-0a-19T10:30:44.189512345Z hello',
    `[pod/${'x'.repeat(600)}/y] hello`,
  ])('%s', (line) => {
    const { logs } = decode(`${line}\n`);
    expect(logs).toMatchObject([{ message: expect.stringMatching(/hello$|^2026/) as string }]);
    expect(logs[0]).not.toHaveProperty('pod');
    expect(logs[0]).not.toHaveProperty('stream');
  });

  test('A word that is no stream, or a tag that is none, belongs to the line', () => {
    expect(decode(`${AT} stdlog F text\n`).logs).toMatchObject([{ message: 'stdlog F text' }]);
    expect(decode(`${AT} stderr X text\n`).logs).toMatchObject([{ message: 'stderr X text' }]);
    expect(decode(`${AT} stderr Full text\n`).logs).toMatchObject([{ message: 'stderr Full text' }]);
  });

  test('JSON of a user with keys named log, stream, time or date is a log, and holds nothing up', () => {
    const text = [
      '{"log": "abc", "stream": "video", "time": "noon"}',
      '{"log": "abc", "date": "tomorrow"}',
      '{"log": "abc", "stream": "stderr", "time": "later"}',
      'next',
    ];
    const { logs } = decode(`${text.join('\n')}\n`);
    expect(logs).toMatchObject([
      { message: 'abc', attributes: { stream: 'video', time: 'noon' }, ts: ARRIVAL },
      { message: 'abc', attributes: { date: 'tomorrow' } },
      { message: 'abc', attributes: { stream: 'stderr', time: 'later' } },
      { message: 'next' },
    ]);
  });

  test('JSON of a user with a key named kubernetes is a log', () => {
    expect(decode('{"message": "x", "kubernetes": {"version": "1.33"}}\n').logs).toMatchObject([
      { message: 'x', attributes: { kubernetes: '{"version": "1.33"}' } },
    ]);
  });
});
