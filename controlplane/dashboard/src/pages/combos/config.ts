import type { components } from '../../api/schema';

type Config = components['schemas']['ComboConfig'];

/** What a combo, or all of them, may say about how its members are asked. */
export const numbers = [
  { name: 'maxRetries', label: 'Retries' },
  { name: 'retryDelayMs', label: 'Pause before a retry, ms' },
  { name: 'timeoutMs', label: 'Time for a member, ms' },
  { name: 'healthCheckTimeoutMs', label: 'Time for a test, ms' },
  { name: 'concurrencyPerModel', label: 'Requests of a member at a time' },
  { name: 'queueTimeoutMs', label: 'Wait for a member, ms' },
  { name: 'maxComboDepth', label: 'Levels of combos' },
] as const;
export const switches = [
  { name: 'healthCheckEnabled', label: 'Pass over members that fail' },
  { name: 'trackMetrics', label: 'Count for metrics' },
] as const;

export const YES = 'yes';
export const NO = 'no';

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
