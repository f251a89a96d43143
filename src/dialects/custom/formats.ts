import { isIPv4, isIPv6 } from 'node:net';
import { parseTime } from '../../time.ts';

const DATE_TIME = /^(\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d)(?:\.\d+)?(z|[+-]\d\d:\d\d)$/i;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
const URI = /^[a-z][a-z\d+.-]*:[^\s"<>\\^`{|}]*$/i;
const NAME = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i;
const MAILBOX = /^[\w!#$%&'*+/=?^`{|}~.-]{1,64}$/;

/**
 * The formats that a user's schema may ask for. ajv leaves them to a package of its own; these are the ones that log lines have, and every other is
 * refused by name when the events are read.
 */
export const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseTime(`${text}T00:00:00Z`) !== undefined,
  'date-time': isDateTime,
  email: isEmail,
  hostname: isHostname,
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  uri: (text) => URI.test(text),
  uuid: (text) => UUID.test(text),
};

function isDateTime(text: string): boolean {
  const [, time, zone] = DATE_TIME.exec(text) ?? [];
  return time !== undefined && parseTime(`${time}${zone}`) !== undefined;
}

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => NAME.test(label));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  const mailbox = text.slice(0, Math.max(at, 0));
  return MAILBOX.test(mailbox) && !/^\.|\.$|\.\./.test(mailbox) && isHostname(text.slice(at + 1));
}
