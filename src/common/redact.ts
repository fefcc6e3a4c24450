/** Removes passwords of URLs from text before it is printed or written, wherever the URL came from. */

/**
 * From the user's name to the last `@` before a space. One slash is enough, because a URL that was resolved as a path has
 * lost the other.
 */
const inAuthority = /(:\/{1,2}[^:@/\s]*):\S*@/g;

/** `?password=…`, `&sslpassword=…`, `&tlsCertificateKeyFilePassword=…`, a session token of AWS. */
const inQuery = /([?&;]\w*(?:password|passphrase|passwd)=|AWS_SESSION_TOKEN[:=])[^&\s]+/gi;

export function redact(text: string): string {
  return text.replace(inAuthority, '$1:***@').replace(inQuery, '$1***');
}

/** For a text that is one URL: hides all between the slashes and the last `@`, whatever characters a password has. */
export function redactUrl(url: string): string {
  return redact(url.replace(/:\/\/.*@/s, '://***@'));
}

/** Whether the text contains a URL, or a URL with a user that was resolved as a path. */
export function holdsUrl(text: string): boolean {
  return /[a-z][a-z0-9+.-]*:\/\//i.test(text) || /:\/[^/]*@/.test(text);
}
