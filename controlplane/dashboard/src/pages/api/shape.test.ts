import { expect, test } from 'vitest';
import { shape } from './shape';

const schemas = {
  Key: {
    type: 'object',
    required: ['id'],
    properties: { id: { type: 'string' }, rpm: { type: ['integer', 'null'], description: 'Requests\nper minute.' }, parent: { $ref: '#/components/schemas/Key' } },
  },
};

test('a schema reads as a type, with what its fields mean', () => {
  expect(shape({ type: 'array', items: { type: 'object', properties: { role: { enum: ['viewer', 'owner'] } } } }, {})).toBe(
    '{\n    role?: "viewer" | "owner";\n  }[]',
  );
  expect(shape({ type: 'object', additionalProperties: { type: 'integer' } }, {})).toBe('{ [name: string]: number }');
});

test('a schema that holds itself ends', () => {
  const text = shape({ $ref: '#/components/schemas/Key' }, schemas);
  expect(text).toContain('// Requests per minute.\n  rpm?: number | null;');
  expect(text).toContain('unknown');
});
