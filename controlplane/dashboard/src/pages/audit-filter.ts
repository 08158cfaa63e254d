/** What of the audit log is shown, as the address has it. */
export type AuditFilter = { action?: string; actor?: string; outcome?: Outcome; from?: string; to?: string };

export const OUTCOMES = ['success', 'failed', 'denied'] as const;
export type Outcome = (typeof OUTCOMES)[number];

const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '');

/** What an address says; whatever else somebody typed into it is left out. */
export function readAuditFilter(search: Record<string, unknown>): AuditFilter {
  const [action, actor, from, to] = [text(search.action), text(search.actor), text(search.from), text(search.to)];
  const outcome = OUTCOMES.find((known) => known === search.outcome);
  return {
    ...(action && { action }),
    ...(actor && { actor }),
    ...(outcome && { outcome }),
    ...(isMoment(from) && { from }),
    ...(isMoment(to) && { to }),
  };
}

/** As an input of the type `datetime-local` gives it: in the reader's own time. */
export const isMoment = (value: string) => /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value));
