import type { LoadedPipeline } from '../config/load.ts';
import type { SourceConfig } from '../config/schema.ts';
import { filesOptions } from '../sources/files/schema.ts';
import { size } from './settings.ts';

type FilesConfig = Extract<SourceConfig, { readonly type: 'files' }>;

/** What a directory of logs is read with, beside its options. */
export function filesAround(
  pipeline: LoadedPipeline,
  name: string,
  { max_deleted_bytes = filesOptions.properties.max_deleted_bytes.default }: FilesConfig,
): { readonly env: NodeJS.ProcessEnv; readonly max_deleted_bytes: number } {
  const most = size(pipeline, ['sources', name, 'max_deleted_bytes'], max_deleted_bytes, 0);
  return { env: process.env, max_deleted_bytes: most };
}
