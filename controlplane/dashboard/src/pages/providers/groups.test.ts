import { expect, test } from 'vitest';
import { type Catalog, type Connection, choices, groupByProvider, moved, ordered } from './groups';

const catalog: Catalog = {
  oa: { id: 'openai', provider: 'OpenAI', custom: false, keyless: false, credential: 'key', fields: [], authType: 'apikey', active: true, models: [] },
  ds: { id: 'deepseek', provider: 'DeepSeek', custom: false, keyless: false, credential: 'key', fields: [], authType: 'apikey', active: false, models: [] },
  gpu: { id: 'node-1', provider: 'GPU server', custom: true, keyless: false, credential: 'key', fields: [], authType: 'apikey', active: false, models: [] },
};
const connection = (id: string, provider: string) => ({ id, provider }) as Connection;

test('a provider is listed with its connections in the order they are tried', () => {
  const groups = groupByProvider([connection('1', 'openai'), connection('2', 'openai')], catalog);
  expect(groups.map(({ name, prefix }) => [name, prefix])).toEqual([
    ['GPU server', 'gpu'],
    ['OpenAI', 'oa'],
  ]);
  expect(groups[1]?.connections.map(({ id }) => id)).toEqual(['1', '2']);
});

test('a connection whose provider is gone is still shown', () => {
  const groups = groupByProvider([connection('1', 'retired')], {});
  expect(groups).toEqual([{ id: 'retired', prefix: 'retired', name: 'retired', connections: [connection('1', 'retired')] }]);
});

test('own endpoints are offered before providers', () => {
  expect(choices(catalog)).toEqual([
    { group: 'Your endpoints', items: [{ value: 'node-1', label: 'GPU server' }] },
    {
      group: 'Providers',
      items: [
        { value: 'deepseek', label: 'DeepSeek' },
        { value: 'openai', label: 'OpenAI' },
      ],
    },
  ]);
});

test('a connection is moved to another place, and those in between make room', () => {
  expect(moved(['1', '2', '3'], '1', 2)).toEqual(['2', '3', '1']);
  expect(moved(['1', '2', '3'], '3', 0)).toEqual(['3', '1', '2']);
  const connections = ['1', '2', '3'].map((id) => connection(id, 'openai'));
  expect(ordered(connections, ['3', '1']).map(({ id }) => id)).toEqual(['3', '1', '2']);
  expect(ordered(connections, null)).toBe(connections);
});
