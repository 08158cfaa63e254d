/** A body as text, never as anything that a browser would run; `cutFrom` is its size in bytes where it was cut. */
export function readable(body: unknown): { text: string | null; cutFrom: number | null } {
  if (body === null || body === undefined) return { text: null, cutFrom: null };
  if (typeof body === 'string') return { text: body, cutFrom: null };
  if (isCut(body)) return { text: body._preview, cutFrom: body._originalSize };
  return { text: JSON.stringify(body, null, 2), cutFrom: null };
}

type Cut = { _truncated: true; _originalSize: number; _preview: string };

function isCut(body: unknown): body is Cut {
  return typeof body === 'object' && body !== null && '_truncated' in body && '_originalSize' in body && '_preview' in body;
}
