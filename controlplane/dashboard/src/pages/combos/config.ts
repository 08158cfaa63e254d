import { t } from '../../i18n';
import type { components } from '../../api/schema';

type Config = components['schemas']['ComboConfig'];

/** What a combo, or all of them, may say about how its members are asked. */
export const numbers = [
  { name: 'maxRetries', label: t('Retries') },
  { name: 'retryDelayMs', label: t('Pause before a retry, ms') },
  { name: 'timeoutMs', label: t('Time for a member, ms') },
  { name: 'healthCheckTimeoutMs', label: t('Time for a test, ms') },
  { name: 'concurrencyPerModel', label: t('Requests of a member at a time') },
  { name: 'queueTimeoutMs', label: t('Wait for a member, ms') },
  { name: 'maxComboDepth', label: t('Levels of combos') },
] as const;
export const switches = [
  { name: 'healthCheckEnabled', label: t('Pass over members that fail') },
  { name: 'trackMetrics', label: t('Count for metrics') },
] as const;

export const YES = 'yes';
export const NO = 'no';
export const choices = [
  { value: YES, label: t('yes') },
  { value: NO, label: t('no') },
];

/** Fields of a form, where empty is what the layer below says. */
export type Values = Record<(typeof numbers)[number]['name'] | (typeof switches)[number]['name'], string | number>;

export function valuesOf(config: Partial<Config>): Values {
  return Object.fromEntries([
    ...numbers.map(({ name }) => [name, config[name] ?? '']),
    ...switches.map(({ name }) => [name, config[name] == null ? '' : config[name] ? YES : NO]),
  ]) as Values;
}

/** What the API is told; empty is null, which it takes for nothing said. */
export function configOf(values: Values): Config {
  return Object.fromEntries([
    ...numbers.map(({ name }) => [name, values[name] === '' ? null : Number(values[name])]),
    ...switches.map(({ name }) => [name, values[name] ? values[name] === YES : null]),
  ]) as Config;
}
