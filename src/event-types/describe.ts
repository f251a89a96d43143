import type { EventType, TypedField } from './type.ts';
import { NOTHING } from './value.ts';

/** Markdown of all types: what they say, their fields with columns and defaults, their conditions. */
export function describeTypes(types: Iterable<EventType>): string {
  return [...types].map(describeType).join('\n');
}

function describeType({ name, description, fields, conditions, histogram }: EventType): string {
  const parts = [`## ${name}\n`];
  if (description !== '') parts.push(`${description}\n`);
  if (fields.length > 0) {
    const rows = fields.map((field) => [
      `\`${field.name}\``,
      field.type,
      field.required ? 'required' : `\`${defaultText(field)}\``,
      `\`${field.column}\``,
      [field.description.replace(/\.$/, ''), field.unit === '' ? '' : `in ${field.unit}`].filter(Boolean).join(', '),
    ]);
    const lines = [['field', 'type', 'default', 'column', 'meaning'], Array<string>(5).fill('---'), ...rows];
    parts.push(`${lines.map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n')}\n`);
  }
  for (const { name: condition, text } of conditions) parts.push(`- condition \`${condition}\`: \`${text}\``);
  if (histogram !== undefined) {
    const labels = histogram.labels.map(([label]) => label);
    parts.push(`- histogram \`${histogram.name}\`${labels.length === 0 ? '' : `, by ${labels.join(', ')}`}`);
  }
  if (conditions.length > 0 || histogram !== undefined) parts.push('');
  return parts.join('\n');
}

function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|');
}

function defaultText({ fallback }: TypedField): string {
  if (fallback.value === undefined || fallback.value === null) return 'null';
  if (typeof fallback.value === 'number') return String(fallback.value);
  return fallback.json === '' ? JSON.stringify(fallback.value) : fallback.json;
}

/** JSON Schema (draft 2020-12) of the line of each type, by name. */
export function schemasOf(types: Iterable<EventType>): Record<string, object> {
  return Object.fromEntries([...types].map((type) => [type.name, schemaOf(type)]));
}

function schemaOf({ name, description, fields }: EventType): object {
  const required = fields.filter((field) => field.required).map((field) => field.name);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: name,
    ...(description === '' ? {} : { description }),
    type: 'object',
    required: ['event_id', 'event_type', 'event_time', 'session_id', ...required],
    properties: {
      event_id: { type: 'string' },
      event_type: { const: name },
      event_time: { type: 'number', description: 'Seconds since 1970.' },
      emit_time: { type: 'number' },
      session_id: { type: 'string' },
      backend: { type: ['string', 'null'] },
      task_id: { type: ['string', 'null'] },
      node_id: { type: ['string', 'null'] },
      attributes: { type: 'object' },
      ...Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field)])),
    },
  };
}

const TYPES = { int: 'integer', float: 'number', str: 'string', bool: 'boolean' } as const;

function fieldSchema({ type, required, fallback, description, unit }: TypedField): object {
  const about = [description, unit === '' ? '' : `In ${unit}.`].filter(Boolean).join(' ');
  const finite = !(typeof fallback.value === 'number' && !Number.isFinite(fallback.value));
  return {
    ...(type === 'any' ? {} : { type: required ? TYPES[type] : [TYPES[type], 'null'] }),
    ...(about === '' ? {} : { description: about }),
    ...(required || fallback === NOTHING || !finite ? {} : { default: fallback.value }),
  };
}
