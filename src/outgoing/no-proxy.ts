import { BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** True when a host is reached without the proxy. */
export type Spares = (host: string, port: string) => boolean;

/**
 * NO_PROXY as Go's httpproxy reads it: entries between commas. `host` and its subdomains; `.host` and `*.host`, its subdomains only; an IP address; a network in
 * CIDR, which is of addresses as they are written and looks no name up; each but the last with a port or for all; `*`, everything. Besides them, `localhost` and
 * addresses of this machine are never behind a proxy.
 */
export function sparedBy(no_proxy: string): Spares {
  const entries = no_proxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .map(spares);
  return (host, port) => isHere(host) || entries.some((each) => each(host, port));
}

const HERE = new BlockList();
HERE.addSubnet('127.0.0.0', 8, 'ipv4');
HERE.addAddress('::1', 'ipv6');

function isHere(host: string): boolean {
  return host === 'localhost' || holds(HERE, host);
}

function spares(entry: string): Spares {
  if (entry === '*') return () => true;
  const network = /^(.+)\/(\d+)$/.exec(entry);
  if (network !== null) {
    const [, address = '', bits] = network;
    const list = listOf(address, Number(bits));
    return list === undefined ? () => false : (host) => holds(list, host);
  }
  const [, bracketed, plain, only = ''] = /^(?:\[(.*)\]|([^:]*|.*:.*:.*))(?::(\d+))?$/.exec(entry) ?? [];
  const named = bracketed ?? plain ?? '';
  const right = (port: string): boolean => only === '' || only === port;
  const list = listOf(named);
  if (list !== undefined) return (host, port) => right(port) && holds(list, host);
  const suffix = named.replace(/^\*?(?=\.)/, '');
  const ascii = domainToASCII(suffix.replace(/^\./, ''));
  if (ascii === '') return () => false;
  const itself = !suffix.startsWith('.');
  return (host, port) => isIP(host) === 0 && right(port) && (host.endsWith(`.${ascii}`) || (itself && host === ascii));
}

function listOf(address: string, bits?: number): BlockList | undefined {
  const family = isIP(address);
  if (family === 0 || (bits ?? 0) > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  if (bits === undefined) list.addAddress(address, type);
  else list.addSubnet(address, bits, type);
  return list;
}

function holds(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
