/** Stretches of time that usage is summed up over, as the management API names them. */
export const RANGES = ['1d', '7d', '30d', '90d', 'ytd', 'all'] as const;

export type Range = (typeof RANGES)[number];

/** A range from an address, which anybody may have typed. */
export function readRange(value: unknown): Range | undefined {
  return RANGES.find((range) => range === value);
}
