import { hasWords } from '../../parts/search-text';
import type { components } from '../../api/schema';

/** Per million tokens of a kind. */
export const tokenFields = ['input', 'output', 'cached', 'reasoning', 'cache_creation'] as const;
/** For one of what is not counted in tokens. */
export const unitFields = ['image', 'audio_minute', 'characters', 'search'] as const;
export const fields = [...tokenFields, ...unitFields];
export type UnitField = (typeof unitFields)[number];
export type Field = (typeof fields)[number];

/** Where an amount is from: the built-in list, or an operator. */
export type Amount = { value: number; source: 'default' | 'override' };
export type Price = Partial<Record<Field, Amount>>;

/** A model under a provider, as clients call both. One that nobody knows the price of has none. */
export type PriceRow = { provider: string; model: string; price: Price };

type Pricing = components['schemas']['Pricing'];
type Known = Record<string, components['schemas']['PricedProvider']>;

/** Every model that has a price or may get one, in the order of their names. */
export function priceRows(pricing: Pricing, known: Known): PriceRow[] {
  const named = Object.entries(known).flatMap(([provider, { models }]) => models.map(({ id }) => ({ provider, model: id })));
  const priced = Object.entries(pricing).flatMap(([provider, models]) => Object.keys(models).map((model) => ({ provider, model })));
  const all = new Map([...named, ...priced].map((row) => [`${row.provider}/${row.model}`, row]));
  return [...all.entries()]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([, { provider, model }]) => ({ provider, model, price: (pricing[provider]?.[model] ?? {}) as Price }));
}

export const isOwn = ({ price }: PriceRow) => Object.values(price).some(({ source }) => source === 'override');

/** All the words, in any order. */
export function found(rows: PriceRow[], words: string): PriceRow[] {
  return rows.filter(({ provider, model }) => hasWords(`${provider}/${model}`, words));
}
