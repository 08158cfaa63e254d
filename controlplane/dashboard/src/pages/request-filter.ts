import { searchText } from '../parts/search-text';

/** Which requests are shown, as the address has it; `before` is where an older page begins. */
export type RequestFilter = { status?: string; model?: string; key?: string; before?: string };

/** What an address says; the management API knows `ok`, `error` and status codes. */
export function readRequestFilter(search: Record<string, unknown>): RequestFilter {
  const [status, model, key, before] = [searchText(search.status), searchText(search.model), searchText(search.key), searchText(search.before)];
  return {
    ...(/^(ok|error|[1-5]\d\d)$/.test(status) && { status }),
    ...(model && { model }),
    ...(key && { key }),
    ...(/^\d+_[0-9a-f-]{36}$/.test(before) && { before }),
  };
}
