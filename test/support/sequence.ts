import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The folders and files that take longest, in seconds on two cores: a long one that begins last is waited for by all. */
const SECONDS: Readonly<Record<string, number>> = {
  'test/promises/': 180,
  'test/e2e/': 50,
  'test/exec/': 45,
  'test/spool/damage': 40,
  'test/help/': 30,
  'test/cli/': 25,
  'test/sinks/elasticsearch/engines': 25,
  'test/sinks/clickhouse/': 15,
  'test/decode/': 12,
  'test/delivery/': 10,
};

/** Long files first, and those of one folder not side by side, so that what waits runs beside what works. */
export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = ({ moduleId }: TestSpecification): number =>
      Object.entries(SECONDS).find(([place]) => moduleId.includes(`/${place}`))?.[1] ?? 0;
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => seconds(b) - seconds(a));
  }
}
