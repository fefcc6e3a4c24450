/** The last guard: a password in a URL is never printed or written, whoever put the URL into the text. */

/**
 * Between the user's name and the last `@` before a space. Making a path of a URL leaves one slash of two, so that one is
 * enough.
 */
const inAuthority = /(:\/{1,2}[^:@/\s]*):\S*@/g;

/** `?password=…`, `&sslpassword=…`, `&tlsCertificateKeyFilePassword=…`, a session token of AWS. */
const inQuery = /([?&;]\w*(?:password|passphrase|passwd)=|AWS_SESSION_TOKEN[:=])[^&\s]+/gi;

export function redact(text: string): string {
  return text.replace(inAuthority, '$1:***@').replace(inQuery, '$1***');
}

/** Of a text that is one URL: all between the slashes and the last `@`, whatever characters a password has. */
export function redactUrl(url: string): string {
  return redact(url.replace(/:\/\/.*@/s, '://***@'));
}

/** Whether a URL is in the text, or what a path has made of one with a user. */
export function holdsUrl(text: string): boolean {
  return /[a-z][a-z0-9+.-]*:\/\//i.test(text) || /:\/[^/]*@/.test(text);
}
