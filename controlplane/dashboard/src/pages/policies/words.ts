import type { components } from '../../api/schema';

export type Policy = components['schemas']['PolicyView'];

/** Monday first, as the API counts them from 1. */
export const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** The API leaves out what is empty. */
type Conditions = Partial<Policy['conditions']>;
type Actions = Partial<Policy['actions']>;

/** Which requests a policy is about; `keyName` is what people call a key. */
export function whichRequests({ model_pattern, api_key_ids = [], providers = [], hours }: Conditions, keyName: (id: string) => string): string {
  const days = (hours?.days ?? []).map((day) => weekdays[day - 1]).join(', ');
  const parts = [
    model_pattern && `for ${model_pattern}`,
    api_key_ids.length > 0 && `by ${api_key_ids.map(keyName).join(', ')}`,
    providers.length > 0 && `to ${providers.join(', ')}`,
    hours && `from ${hours.from} to ${hours.until} UTC${days && ` on ${days}`}`,
  ].filter(Boolean);
  return parts.length === 0 ? 'all requests' : `requests ${parts.join(', ')}`;
}

/** What it does with them. */
export function whatHappens({ prefer_provider = [], block_model = [], max_tokens }: Actions): string {
  if (prefer_provider.length > 0) return `try ${prefer_provider.join(', ')} first`;
  if (block_model.length > 0) return `refuse ${block_model.join(', ')}`;
  return `at most ${max_tokens ?? 0} tokens in an answer`;
}
