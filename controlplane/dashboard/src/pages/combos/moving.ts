import type { Announcements } from '@dnd-kit/core';
import { t } from '../../i18n';
import type { Draft } from './member';

export const instructions = t('Press space to pick the member up, the arrow keys to move it, space to drop it, and escape to leave it where it was.');

/** What is said aloud while a member moves. */
export function announcements(members: Draft[]): Announcements {
  const place = (id: unknown) => members.findIndex((member) => member.id === id) + 1;
  const name = (id: unknown) => members[place(id) - 1]?.model || t('member {place}', { place: place(id) });
  const told = (id: unknown, at = id) => ({ name: name(id), place: place(at), count: members.length });
  return {
    onDragStart: ({ active }) => t('Picked up {name}, at place {place} of {count}.', told(active.id)),
    // over itself it is as soon as it is picked up: that would cut off what was just said
    onDragOver: ({ active, over }) =>
      over && over.id !== active.id ? t('{name} is over place {place} of {count}.', told(active.id, over.id)) : undefined,
    onDragEnd: ({ active, over }) => t('Dropped {name} at place {place} of {count}.', told(active.id, (over ?? active).id)),
    onDragCancel: ({ active }) => t('{name} stays at place {place}.', told(active.id)),
  };
}
