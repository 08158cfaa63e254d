/** Which requests are shown, as the address has it; `before` is where an older page begins. */
export type RequestFilter = { status?: string; model?: string; key?: string; before?: string };

const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '');

/** What an address says; the management API knows `ok`, `error` and status codes. */
export function readRequestFilter(search: Record<string, unknown>): RequestFilter {
  const [status, model, key, before] = [text(search.status), text(search.model), text(search.key), text(search.before)];
  return {
    ...(/^(ok|error|[1-5]\d\d)$/.test(status) && { status }),
    ...(model && { model }),
    ...(key && { key }),
    ...(/^\d+_[0-9a-f-]{36}$/.test(before) && { before }),
  };
}
