/** A delivery of Orchest as a form begins so: its two fields are JSON. Nothing else is taken for a form: `curl --data-binary` says of everything that it is one. */
const BEGINS = /^(?:delivered_for|event)=%7B/i;
const FIELD = /^[A-Za-z_]{1,40}$/;

/** The fields of a form that hold JSON, as one object; undefined for what is no such form. */
export function formObject(body: Buffer): Buffer | undefined {
  if (!BEGINS.test(body.toString('latin1', 0, 32))) return undefined;
  const members: string[] = [];
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (FIELD.test(name)) members.push(`${JSON.stringify(name)}: ${isJson(value) ? value : JSON.stringify(value)}`);
  }
  return Buffer.from(`{${members.join(', ')}}`.replaceAll('\n', ' '));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
