// Given to Node with --import: the package chdb cannot be found.
import { register } from 'node:module';

const hooks = `
export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('chdb')) return next(specifier, context);
  throw Object.assign(new Error('Cannot find package chdb'), { code: 'ERR_MODULE_NOT_FOUND' });
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
