import { t } from '../../i18n';
import type { components } from '../../api/schema';
import { amount, weekday } from '../../parts/numbers';

export type Policy = components['schemas']['PolicyView'];

/** Monday first, as the API counts them from 1. */
export const weekdays = [1, 2, 3, 4, 5, 6, 7].map(weekday);

/** The API leaves out what is empty. */
type Conditions = Partial<Policy['conditions']>;
type Actions = Partial<Policy['actions']>;

/** Which requests a policy is about; `keyName` is what people call a key. */
export function whichRequests({ model_pattern, api_key_ids = [], providers = [], hours }: Conditions, keyName: (id: string) => string): string {
  const days = (hours?.days ?? []).map((day) => weekdays[day - 1]).join(', ');
  const parts = [
    model_pattern && t('for {pattern}', { pattern: model_pattern }),
    api_key_ids.length > 0 && t('by {names}', { names: api_key_ids.map(keyName).join(', ') }),
    providers.length > 0 && t('to {names}', { names: providers.join(', ') }),
    hours &&
      (days
        ? t('from {from} to {until} UTC on {days}', { from: hours.from, until: hours.until, days })
        : t('from {from} to {until} UTC', { from: hours.from, until: hours.until })),
  ].filter(Boolean);
  return parts.length === 0 ? t('all requests') : t('requests {which}', { which: parts.join(', ') });
}

/** What it does with them. */
export function whatHappens({ prefer_provider = [], block_model = [], max_tokens }: Actions): string {
  if (prefer_provider.length > 0) return t('try {names} first', { names: prefer_provider.join(', ') });
  if (block_model.length > 0) return t('refuse {names}', { names: block_model.join(', ') });
  return t('at most {count} tokens in an answer', { count: amount(max_tokens ?? 0) });
}
