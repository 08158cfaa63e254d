/** The parts of a JSON schema that our own document uses. */
export type Schema = {
  $ref?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  oneOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: Schema | boolean;
};

export type Schemas = Record<string, Schema>;

/** Deeper than any answer nests, and an end to those that nest in themselves. */
const DEPTH = 6;

/** What a value looks like, as a TypeScript programmer would write it. */
export function shape(schema: Schema | undefined, schemas: Schemas, depth = 0): string {
  if (!schema || depth > DEPTH) return 'unknown';
  if (schema.$ref) return shape(schemas[schema.$ref.split('/').pop() ?? ''], schemas, depth);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const several = schema.oneOf ?? schema.allOf;
  if (several) return several.map((one) => shape(one, schemas, depth)).join(schema.oneOf ? ' | ' : ' & ');
  const types = [schema.type ?? 'object'].flat();
  return types.map((type) => named(type, schema, schemas, depth)).join(' | ');
}

function named(type: string, schema: Schema, schemas: Schemas, depth: number): string {
  if (type === 'integer') return 'number';
  if (type === 'array') return `${shape(schema.items, schemas, depth + 1)}[]`;
  if (type !== 'object') return type;
  if (!schema.properties) {
    const values = typeof schema.additionalProperties === 'object' ? shape(schema.additionalProperties, schemas, depth + 1) : 'unknown';
    return `{ [name: string]: ${values} }`;
  }
  const indent = '  '.repeat(depth + 1);
  const fields = Object.entries(schema.properties).map(([name, field]) => {
    const note = field.description ? `${indent}// ${field.description.replaceAll('\n', ' ')}\n` : '';
    const optional = schema.required?.includes(name) ? '' : '?';
    return `${note}${indent}${name}${optional}: ${shape(field, schemas, depth + 1)};`;
  });
  return `{\n${fields.join('\n')}\n${'  '.repeat(depth)}}`;
}
