import type { components } from '../../api/schema';

/** A member travels as a bare model name or with a weight. */
export function modelOf(member: components['schemas']['Member']): string {
  return typeof member === 'string' ? member : member.model;
}
