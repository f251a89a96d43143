import { line } from './parts.ts';

const STEP = line('fit 17').trimEnd();
export const LOGS = `privacy: { mask: [token] }\n`;

export const PASS = `tests:
  - name: a step is a step
    input:
      - '${STEP}'
    events:
      - kind: step
        step: fit <n>
        step_raw: /^FIT \\d+$/i
        ts: 2026-02-19T10:30:44.025Z
        wall_time_s: 1.5
        attempt: absent
        attributes: absent
  - name: the clock stands where it is put
    now: 2026-03-01T00:00:00+01:00
    input: words
    events:
      - { kind: log, ts: '2026-02-28T23:00:00Z', provenance: ts:arrival, message: words }
  - name: a line that cannot be read is told, masked
    source: pod.log
    input: '{"event": "flytekit_step", "step": "fit", "token": "t-31337"}'
    rejections:
      - { reason: schema, source: pod.log, offset: 0, lines: 1, raw: '/"token": "\\*\\*\\*"/', cut: absent }
  - name: others may come between
    more: true
    input: "one\\ntwo\\nthree\\nfour\\n"
    events:
      - { message: two }
      - { message: four }
  - name: events are in the order of their lines, whatever table they go to
    input:
      - words before
      - '${STEP}'
      - words after
      - 'words and ${STEP}'
    events: [{ message: words before }, { kind: step }, { message: words after }, { message: 'words and ' }, { kind: step }]
  - name: nothing comes out of nothing
    input: "\\n"
`;

export const FAIL = `tests:
  - name: another text, another number, another time
    input:
      - '${STEP}'
    events:
      - { step: fit, wall_time_s: 15e-1, process_time_s: 0.25, ts: 2026-02-19T10:30:44.026Z }
  - name: what must not be there is there, and what must be there is not
    input: INFO epoch=1 loss=0.4
    events:
      - { message: absent, logger: user_space, level: /^WARN/, attributes: { epoch: '1', loss: 0.40x }, labels: { a: b } }
  - name: one is missing, and the others stay where they are
    input: [one, three]
    events: [{ message: one }, { message: two, level: absent, attributes: { a: '1' } }, { message: three }]
  - name: one is too many
    input: [one, two, three]
    events: [{ message: one }, { message: three }]
  - name: the order is another
    input: [one, two]
    events: [{ message: two }, { message: one }]
  - name: not even between others
    more: true
    input: [one, two]
    events: [{ message: two }, { message: one }]
  - name: a line was rejected, and nobody said so
    input: '{"event": "flytekit_step", "step": "fit"}'
  - name: a line was not rejected
    input: one
    events: [{ kind: log }]
    rejections: [{ reason: schema, offset: 0 }]
  - name: it was rejected for another reason
    input: '{"event": "flytekit_step", "step": "fit"}'
    rejections: [{ reason: json_syntax, detail: /wall_time_s/i }]
`;

/** What the command says of them, without what they took. */
export const FAILED = `a.test.yaml
  FAIL  another text, another number, another time N ms

    a.test.yaml:2:5
    event 1 of 1 is not as expected (line 6):
      step            expected  "fit"
                      got       "fit <n>"
      process_time_s  expected  0.25
                      got       0.5
      ts              expected  "2026-02-19T10:30:44.026Z"
                      got       "2026-02-19T10:30:44.025000Z"
    The whole event:
      ts              "2026-02-19T10:30:44.025000Z"
      ts_start        "2026-02-19T10:30:42.525000Z"
      dialect         "flytekit"
      event           "flytekit_step"
      kind            "step"
      step            "fit <n>"
      step_raw        "fit 17"
      status          "success"
      wall_time_s     1.5
      process_time_s  0.5
      execution_id    "x"
      task            "t.f"
      project         "p"
      domain          "d"
      task_project    "p"
      task_domain     "d"
      app             "flytekit"
      component       "task"

  FAIL  what must not be there is there, and what must be there is not N ms

    a.test.yaml:7:5
    event 1 of 1 is not as expected (line 10):
      message     expected  absent
                  got       "epoch=1 loss=0.4"
      logger      expected  "user_space"
                  got       nothing
      level       expected  /^WARN/
                  got       "INFO"
      attributes  expected  {"epoch":"1","loss":"0.40x"}
                  got       nothing
      labels      expected  {"a":"b"}
                  got       nothing
    The whole event:
      ts          "2026-01-01T00:00:00.000000Z"
      dialect     "log"
      kind        "log"
      level       "INFO"
      message     "epoch=1 loss=0.4"
      provenance  "ts:arrival"

  FAIL  one is missing, and the others stay where they are N ms

    a.test.yaml:11:5
    event 2 of 3 did not come (line 13):
      message       "two"
      level         absent
      attributes.a  "1"

  FAIL  one is too many N ms

    a.test.yaml:14:5
    event 2 of 3 that came is not expected:
      ts          "2026-01-01T00:00:00.000000Z"
      dialect     "log"
      kind        "log"
      message     "two"
      provenance  "ts:arrival"

  FAIL  the order is another N ms

    a.test.yaml:17:5
    event 1 of 2 did not come (line 19):
      message  "two"

    event 2 of 2 that came is not expected:
      ts          "2026-01-01T00:00:00.000000Z"
      dialect     "log"
      kind        "log"
      message     "two"
      provenance  "ts:arrival"

  FAIL  not even between others N ms

    a.test.yaml:20:5
    event 1 of 2 did not come (line 23):
      message  "two"

  FAIL  a line was rejected, and nobody said so N ms

    a.test.yaml:24:5
    rejection 1 of 1 that came is not expected:
      ts       "2026-01-01T00:00:00.000000Z"
      reason   "schema"
      detail   "the step must have required property 'error_type'"
      dialect  "flytekit"
      source   "stdin"
      offset   0
      lines    1
      raw      "{\\"event\\": \\"flytekit_step\\", \\"step\\": \\"fit\\"}"

  FAIL  a line was not rejected N ms

    a.test.yaml:26:5
    rejection 1 of 1 did not come (line 29):
      reason  "schema"
      offset  0

  FAIL  it was rejected for another reason N ms

    a.test.yaml:30:5
    rejection 1 of 1 is not as expected (line 32):
      reason   expected  "json_syntax"
               got       "schema"
      detail   expected  /wall_time_s/i
               got       "the step must have required property 'error_type'"
    The whole rejection:
      ts       "2026-01-01T00:00:00.000000Z"
      reason   "schema"
      detail   "the step must have required property 'error_type'"
      dialect  "flytekit"
      source   "stdin"
      offset   0
      lines    1
      raw      "{\\"event\\": \\"flytekit_step\\", \\"step\\": \\"fit\\"}"

0 passed, 9 failed, N ms
`;
