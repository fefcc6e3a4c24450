/** The last guard: a password in a URL is never printed or written, whoever put the URL into the text. */

export function redact(text: string): string {
  return text.replace(/(\/\/[^:@/\s]*):[^@\s]*@/g, '$1:***@');
}
