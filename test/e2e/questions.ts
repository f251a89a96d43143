/*
 * What people ask first: how slow user code is, and which steps fail. In the languages of the stores, as the README quotes them.
 */

/** How slow are the slowest hundredth of the runs of each task's own code? */
export const P99_OF_USER_CODE = {
  sql: `SELECT task, quantile(0.99)(wall_time_s) AS p99_s
FROM steps
WHERE step = 'execute_user_code'
GROUP BY task
ORDER BY p99_s DESC`,
  promql: `histogram_quantile(0.99, sum by (le, task) (rate(steptap_step_duration_seconds_bucket{step="execute_user_code"}[5m])))`,
  /** Body of `POST /steptap-steps-*` + `/_search`. */
  search: {
    size: 0,
    query: { term: { step: 'execute_user_code' } },
    aggs: {
      task: {
        terms: { field: 'task' },
        aggs: { wall_time_s: { percentiles: { field: 'wall_time_s', percents: [99] } } },
      },
    },
  },
} as const;

/** How many of the runs of each step fail? */
export const ERROR_RATE_BY_STEP = {
  sql: `SELECT step, countIf(status = 'error') / count() AS error_rate
FROM steps
GROUP BY step
ORDER BY error_rate DESC, step`,
  promql: `sum by (step) (rate(steptap_step_duration_seconds_count{status="error"}[5m]))
  / sum by (step) (rate(steptap_step_duration_seconds_count[5m]))`,
  /** The rate is `errors.doc_count` over `doc_count`. */
  search: {
    size: 0,
    aggs: {
      step: {
        terms: { field: 'step', size: 100 },
        aggs: { errors: { filter: { term: { status: 'error' } } } },
      },
    },
  },
} as const;
