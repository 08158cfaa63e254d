/** Which requests are shown, as the address has it. */
export type RequestFilter = { status?: string; model?: string; key?: string };

const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '');

/** What an address says; the management API knows `ok`, `error` and status codes. */
export function readRequestFilter(search: Record<string, unknown>): RequestFilter {
  const [status, model, key] = [text(search.status), text(search.model), text(search.key)];
  return {
    ...(/^(ok|error|[1-5]\d\d)$/.test(status) && { status }),
    ...(model && { model }),
    ...(key && { key }),
  };
}
