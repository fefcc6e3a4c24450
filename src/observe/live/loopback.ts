/** Protects a page that is served on the loopback address from DNS rebinding. */

/** Whether it is in 127.0.0.0/8, is ::1, or is `localhost`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * A web page can make its own host name resolve to 127.0.0.1, and so read what is served there (DNS rebinding). Its name is
 * then in the header `Host`.
 */
export function namesLoopback(header: string | undefined): boolean {
  const name = /^(?:\[([0-9a-f:]+)\]|([^:]+))(?::\d+)?$/i.exec(header ?? '');
  return isLoopback((name?.[1] ?? name?.[2] ?? '').toLowerCase());
}
