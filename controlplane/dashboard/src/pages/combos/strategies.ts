import { t } from '../../i18n';
/** Which member is asked first; the others follow when it fails. */
export const strategies = [
  { value: 'priority', label: t('in this order') },
  { value: 'weighted', label: t('by weight') },
  { value: 'round-robin', label: t('one after the other') },
  { value: 'random', label: t('any') },
  { value: 'least-used', label: t('the least used') },
  { value: 'cost-optimized', label: t('the cheapest') },
];

export const strategyLabel = (strategy: string) => strategies.find(({ value }) => value === strategy)?.label ?? strategy;
