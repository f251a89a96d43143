/* What Python's tracebacks are known by: the header, what stands before it, and the line of the class. */

export const HEADER = 'Traceback (most recent call last):';

/** What may stand before a header: no logger's prefix is longer. */
export const LONGEST_PREFIX = 300;

/** What a launcher puts before every line: torchrun's `[rank0]: `, Ray's `(func pid=123) `. */
export const REPEATED = /^(\[(?:rank|default)\d{1,6}\]:? ?|\([^()]{1,100} pid=\d{1,10}[^()]{0,60}\) )/;

export function indentOf(text: string): number {
  return text.length - text.trimStart().length;
}

/**
 * The class, with its module, of Python's `module.Class: message`; undefined if the text is not such a line. Python
 * writes the module of every class that is not built in, so a name in small letters needs one (`zlib.error: ...`), and
 * a name alone must look like a class (`KeyboardInterrupt`, `queue.Empty`).
 */
export function exceptionClass(text: string): string | undefined {
  const match = /^([A-Za-z_]\w{0,200}(?:\.(?:<locals>|\w{1,200})){0,20})(:(?: |$)|$)/.exec(text);
  const name = match?.[1];
  if (name === undefined || /^[A-Z]+$/.test(name)) return undefined;
  const own = name.slice(name.lastIndexOf('.') + 1);
  const dotted = own !== name;
  const told = match?.[2] !== '';
  if (!/^_{0,9}[A-Z]/.test(own)) return dotted && told && /(?:error|timeout)$/.test(own) ? name : undefined;
  return told || dotted || /[a-z][A-Z]/.test(own) || own === 'Exception' ? name : undefined;
}
