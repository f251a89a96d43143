#!/bin/sh
# The main job on a shipped sample: what three executions of a training workflow wrote to stderr, as
# `kubectl logs --prefix --timestamps` prints it, into an embedded ClickHouse; then the questions of the morning after.
set -eu
cd "$(dirname "$0")/.."
state=./steptap-data/demo
rm -rf "$state"
steptap() { node dist/cli/main.js "$@"; }
ask() {
  printf '\n%s\n' "$1"
  steptap query --state "$state" --format PrettyCompactMonoBlock "$2"
}

steptap -c pipelines/flytekit.yaml -c pipelines/demo.yaml --input pipelines/flytekit.sample.log --summary always

ask 'Which task is slow? p99 of user code, and the share of the time that is not user code:' "
  SELECT task, countIf(step = 'execute_user_code') AS runs,
         round(quantileExactIf(0.99)(wall_time_s, step = 'execute_user_code'), 1) AS p99_user_code_s,
         round(1 - sumIf(wall_time_s, step = 'execute_user_code') / sumIf(wall_time_s, step IN
           ('load_task', 'download_inputs', 'deserialize_inputs', 'task_dispatch_execute', 'output_offloading', 'upload_outputs')), 2) AS overhead
  FROM steps WHERE task != '' GROUP BY task ORDER BY p99_user_code_s DESC"

ask 'What failed last night, and why?' "
  SELECT ts, execution_id, node_id, attempt, task, error_kind, root_error_type, attributes['reason'] AS reason
  FROM events WHERE kind = 'error'"

ask 'Error rate per step:' "
  SELECT step, count() AS runs, countIf(status = 'error') / count() AS error_rate
  FROM steps GROUP BY step HAVING error_rate > 0 ORDER BY error_rate DESC"

printf '\nWhat could not be read, with the reason:\n'
cut -c 1-320 "$state"/dead-letters/*.ndjson
printf '\nAsk more: node dist/cli/main.js query --state %s "SELECT ..."\n' "$state"
