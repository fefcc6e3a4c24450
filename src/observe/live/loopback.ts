/** Who may ask for the page where it is served to this machine alone. */

/** 127.0.0.0/8, ::1 and their name. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * A page of the internet can have its own name lead to 127.0.0.1 and read what is served there with it (DNS rebinding):
 * its name then stands in the header `Host`.
 */
export function namesLoopback(header: string | undefined): boolean {
  const name = /^(?:\[([0-9a-f:]+)\]|([^:]+))(?::\d+)?$/i.exec(header ?? '');
  return isLoopback((name?.[1] ?? name?.[2] ?? '').toLowerCase());
}
