import { searchText } from '../parts/search-text';

/** Which lines of a process's log are shown, as the address has it; no `node` is this control plane. */
export type ConsoleFilter = { level?: Level; component?: string; node?: string };

/** From the worst; each is shown with those before it. */
export const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const;
export type Level = (typeof LEVELS)[number];

/** What an address or a form says; whatever else it says is left out. */
export function readConsoleFilter(search: Record<string, unknown>): ConsoleFilter {
  const level = LEVELS.find((known) => known === search.level);
  const [component, node] = [searchText(search.component), searchText(search.node)];
  return { ...(level && { level }), ...(component && { component }), ...(node && { node }) };
}
