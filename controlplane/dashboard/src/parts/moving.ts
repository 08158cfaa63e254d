import type { Announcements } from '@dnd-kit/core';
import { t } from '../i18n';

export const instructions = t('Press space to pick it up, the arrow keys to move it, space to drop it, and escape to leave it where it was.');

/** What is said aloud while one of a list moves. */
export function announcements(items: { id: string; name: string }[]): Announcements {
  const place = (id: unknown) => items.findIndex((item) => item.id === id) + 1;
  const name = (id: unknown) => items[place(id) - 1]?.name ?? '';
  const told = (id: unknown, at = id) => ({ name: name(id), place: place(at), count: items.length });
  return {
    onDragStart: ({ active }) => t('Picked up {name}, at place {place} of {count}.', told(active.id)),
    // over itself it is as soon as it is picked up: that would cut off what was just said
    onDragOver: ({ active, over }) =>
      over && over.id !== active.id ? t('{name} is over place {place} of {count}.', told(active.id, over.id)) : undefined,
    onDragEnd: ({ active, over }) => t('Dropped {name} at place {place} of {count}.', told(active.id, (over ?? active).id)),
    onDragCancel: ({ active }) => t('{name} stays at place {place}.', told(active.id)),
  };
}
