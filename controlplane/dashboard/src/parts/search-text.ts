/** A text in the query of an address or in a field of a filter, without what is around it; '' where there is none. */
export function searchText(value: unknown): string {
  // a name of digits is read from an address as a number
  return typeof value === 'string' || typeof value === 'number' ? `${value}`.trim() : '';
}
