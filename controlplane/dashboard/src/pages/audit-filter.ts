import { isMoment, searchText } from '../parts/search-text';

/** What of the audit log is shown, as the address has it. */
export type AuditFilter = { action?: string; actor?: string; outcome?: Outcome; from?: string; to?: string };

export const OUTCOMES = ['success', 'failed', 'denied'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What an address says; whatever else somebody typed into it is left out. */
export function readAuditFilter(search: Record<string, unknown>): AuditFilter {
  const [action, actor, from, to] = [searchText(search.action), searchText(search.actor), searchText(search.from), searchText(search.to)];
  const outcome = OUTCOMES.find((known) => known === search.outcome);
  return {
    ...(action && { action }),
    ...(actor && { actor }),
    ...(outcome && { outcome }),
    ...(isMoment(from) && { from }),
    ...(isMoment(to) && { to }),
  };
}
