/** The fields of a multipart form, as text; a file is its content. */
export function parseMultipart(body: string, contentType: string): Record<string, string | string[]> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1];
  if (!boundary) throw new Error(`The multipart form names no boundary: ${contentType}`);
  const form: Record<string, string | string[]> = {};
  for (const part of body.split(`--${boundary}`).slice(1, -1)) {
    const at = part.indexOf('\r\n\r\n');
    const name = /name="([^"]*)"/.exec(part.slice(0, at))?.[1];
    if (name === undefined) continue;
    const value = part.slice(at + 4, -2);
    const before = form[name];
    form[name] = before === undefined ? value : [before, value].flat();
  }
  return form;
}
