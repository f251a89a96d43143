import { authorization, type Login, type OutgoingOptions } from '../../outgoing/index.ts';
import { CLICKHOUSE_DEFAULTS, type ClickHouseOptions } from './schema.ts';

/** What of the options is about connections and who logs in. The default user is nobody where a token says who it is. */
export function ways({ urls, user, ...options }: ClickHouseOptions): OutgoingOptions {
  const { password, password_file, bearer_token, bearer_token_file, tls } = options;
  const token = (bearer_token ?? bearer_token_file) !== undefined;
  const nobody = token && user === CLICKHOUSE_DEFAULTS.user;
  return { urls, user: nobody ? undefined : user, password, password_file, bearer_token, bearer_token_file, tls };
}

/**
 * The headers that log in. `Authorization` alone, with Basic or Bearer: ClickHouse refuses a request that has `X-ClickHouse-User` beside it. But a user of its
 * own, without a password, and a certificate: then that is what logs in (IDENTIFIED WITH ssl_certificate), and it goes by ClickHouse's own headers only.
 */
export function headersOf(login: Login, url: URL, { tls }: ClickHouseOptions): Record<string, string> {
  const basic = login.scheme === 'basic' ? { ...login, user: login.user || CLICKHOUSE_DEFAULTS.user } : login;
  if (basic.scheme === 'basic' && basic.password === '' && basic.user !== CLICKHOUSE_DEFAULTS.user) {
    if (url.protocol === 'https:' && tls?.cert_file !== undefined) {
      return { 'X-ClickHouse-User': basic.user, 'X-ClickHouse-SSL-Certificate-Auth': 'on' };
    }
  }
  const value = authorization(basic);
  return value === undefined ? {} : { Authorization: value };
}
