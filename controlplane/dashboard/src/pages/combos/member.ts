import type { components } from '../../api/schema';

/** A member as it travels: a bare model name, or one with a weight. */
export type Member = components['schemas']['Member'];

/** A member in a form. `id` tells rows apart while they move and their names change. */
export type Draft = { id: string; model: string; weight: number };

export function modelOf(member: Member): string {
  return typeof member === 'string' ? member : member.model;
}

export function weightOf(member: Member): number {
  return typeof member === 'string' ? 0 : (member.weight ?? 0);
}

export const blank = (model = '', weight = 0): Draft => ({ id: crypto.randomUUID?.() ?? `${Math.random()}`, model, weight });

export const draftOf = (member: Member): Draft => blank(modelOf(member), weightOf(member));

/** What is saved: rows without a name are left out, and weights of nothing are not written. */
export function membersOf(drafts: Draft[]): Member[] {
  return drafts
    .map(({ model, weight }) => ({ model: model.trim(), weight }))
    .filter(({ model }) => model !== '')
    .map(({ model, weight }) => (weight > 0 ? { model, weight } : model));
}

/** Equal weights that add up to 100; the first ones get what does not divide. */
export function balanced<T extends { weight: number }>(drafts: T[]): T[] {
  const each = Math.floor(100 / drafts.length);
  const left = 100 - each * drafts.length;
  return drafts.map((draft, position) => ({ ...draft, weight: each + (position < left ? 1 : 0) }));
}

/** Of 100 requests, how many go to a member first, where weights decide. */
export function shareOf(weight: number, members: { weight: number }[]): number {
  const total = members.reduce((sum, member) => sum + member.weight, 0);
  return total > 0 ? weight / total : 0;
}
