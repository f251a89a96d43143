/** An expression as it was written, less its blanks and the ways in which the same can be said. */
export type Node =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Node[] }
  | { readonly kind: 'not'; readonly part: Node }
  | { readonly kind: 'has'; readonly field: string }
  | { readonly kind: 'is'; readonly field: string; readonly operator: Operator; readonly value: Literal }
  | { readonly kind: 'in'; readonly field: string; readonly values: readonly Literal[] };

/** `:` is Kibana's: `*` in a word behind it stands for anything. */
export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~' | ':';

/** What stands in quotes is text; a bare word may be a number or a duration, too. */
export interface Literal {
  readonly text: string;
  readonly quoted: boolean;
}

/** Words that are no field unless they stand in backticks. */
export const KEYWORD = /^(?:and|or|not|in)$/i;
export const FIELD = /[\p{L}_@][\p{L}\p{N}_.@/-]*/uy;

/** The expression in its one spelling; read again it is the same tree. */
export function print(node: Node): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.parts.map(operand).join(` ${node.kind} `);
    case 'not':
      return `not ${operand(node.part)}`;
    case 'has':
      return name(node.field);
    case 'is': {
      const { field, operator, value } = node;
      return operator === ':' ? `${name(field)}:${literal(value)}` : `${name(field)} ${operator} ${literal(value)}`;
    }
    default:
      return `${name(node.field)} in (${node.values.map(literal).join(', ')})`;
  }
}

function operand(node: Node): string {
  return node.kind === 'and' || node.kind === 'or' ? `(${print(node)})` : print(node);
}

function name(field: string): string {
  FIELD.lastIndex = 0;
  const bare = FIELD.exec(field)?.[0] === field && !KEYWORD.test(field);
  return bare ? field : `\`${field.replaceAll('`', '``')}\``;
}

function literal({ text, quoted }: Literal): string {
  return quoted ? `'${text.replaceAll("'", "''")}'` : text;
}

/** Every field that it asks for, each once. */
export function fieldsIn(node: Node): string[] {
  switch (node.kind) {
    case 'and':
    case 'or':
      return [...new Set(node.parts.flatMap(fieldsIn))];
    case 'not':
      return fieldsIn(node.part);
    default:
      return [node.field];
  }
}
