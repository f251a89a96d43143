import type { CheckItem } from '../../check/item.ts';
import { tryListening } from '../../http-server.ts';
import { prometheusOptions } from './schema.ts';

/** Whether metrics can be served at the address: it is taken and given back at once. The default gives way when it is taken. */
export async function checkListening(listen: string): Promise<CheckItem> {
  const item = { what: 'address', where: `http://${listen.replace(/^:/, '0.0.0.0:')}/metrics` };
  try {
    await tryListening(listen);
    return { ...item, state: 'ok', found: 'is free' };
  } catch (error) {
    const [found = '', todo] = (error as Error).message.replace(/^cannot listen on [^ ]+: /, '').split('; ');
    if (listen !== prometheusOptions.properties.listen.default) return { ...item, state: 'problem', found, todo };
    return { ...item, state: 'warning', found: `${found}: a run would go on without metrics`, todo };
  }
}
