import type { components } from '../../api/schema';

type Tokens = components['schemas']['TokensView'];
type Kind = 'uncached' | 'cacheRead' | 'cacheCreation' | 'visible' | 'reasoning';

/** USD per million tokens, as the management API lists them for a model. */
export type Price = Partial<Record<'input' | 'cached' | 'cache_creation' | 'output' | 'reasoning', number>>;

/** A sum is billed in whole nano-USD, rounded once. */
const ROUNDED = 0.5e-9 + 1e-12;

/** Tokens in classes that do not overlap, as they are priced. */
export const classesOf = ({ in: all, out, cacheRead, cacheCreation, reasoning }: Tokens): Record<Kind, number> => ({
  uncached: all - cacheRead - cacheCreation,
  cacheRead,
  cacheCreation,
  visible: out - reasoning,
  reasoning,
});

/**
 * What each kind of tokens cost, in USD. The log has the sum alone, and prices are those known now: where these do not
 * make the very sum that was billed, nobody can say any more what it was made of.
 */
export function costsOf(tokens: Tokens, price: Price | undefined, billed: number): Record<Kind, number> | null {
  const { input, cached, cache_creation, output, reasoning } = price ?? {};
  if (input === undefined || output === undefined) return null;
  const prices: Record<Kind, number> = {
    uncached: input,
    cacheRead: cached ?? input,
    cacheCreation: cache_creation ?? input,
    visible: output,
    reasoning: reasoning ?? output,
  };
  const classes = classesOf(tokens);
  const costs = Object.fromEntries(Object.entries(classes).map(([kind, count]) => [kind, (count * prices[kind as Kind]) / 1e6])) as Record<Kind, number>;
  const sum = Object.values(costs).reduce((all, cost) => all + cost, 0);
  return Math.abs(sum - billed) <= ROUNDED + sum * 1e-12 ? costs : null;
}
