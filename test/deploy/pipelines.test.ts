import { expect, test } from 'vitest';
import { loadPipeline } from '../../src/config/load.ts';

const PIPELINES = ['deploy/kustomize/base/pipeline.yaml', 'deploy/kustomize/overlays/aggregator/pipeline.yaml'];

test.each(PIPELINES)('%s is a pipeline, with nothing in the environment but where ClickHouse is', (path) => {
  const { config } = loadPipeline([path], { CLICKHOUSE_URL: 'http://clickhouse:8123' });
  expect(config.sinks).toMatchObject({
    clickhouse: { urls: ['http://clickhouse:8123'] },
    metrics: { listen: ':9464' },
  });
});

test.each(PIPELINES)('%s says that ClickHouse is missing when nobody named it', (path) => {
  expect(() => loadPipeline([path], {})).toThrow(/pipeline.yaml:\d+:\d+: the environment has no CLICKHOUSE_URL/);
});
