import { t } from '../../i18n';

/** What `/callback` tells the window that waits for it. */
export type Returned = { type: string; state: string; callbackUrl: string };

/** What somebody copied from the provider's page: a code, a code with its state, or a whole address. */
export function callbackBody(pasted: string, state: string): { callbackUrl: string } | { code: string; state?: string } {
  const text = pasted.trim();
  if (/^https?:\/\//.test(text)) return { callbackUrl: text };
  return text.includes('#') ? { code: text } : { code: text, state };
}

/** How long a code is good for. */
export function left(ms: number): string {
  if (ms <= 0) return t('The code has ended: get another one.');
  const seconds = Math.ceil(ms / 1000);
  const rest = String(seconds % 60).padStart(2, '0');
  return t('Waiting for you. The code is good for {minutes} minutes.', { minutes: `${Math.floor(seconds / 60)}:${rest}` });
}
