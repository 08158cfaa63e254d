/** Which member is asked first; the others follow when it fails. */
export const strategies = [
  { value: 'priority', label: 'in this order' },
  { value: 'weighted', label: 'by weight' },
  { value: 'round-robin', label: 'one after the other' },
  { value: 'random', label: 'any' },
  { value: 'least-used', label: 'the least used' },
  { value: 'cost-optimized', label: 'the cheapest' },
];

export const strategyLabel = (strategy: string) => strategies.find(({ value }) => value === strategy)?.label ?? strategy;
