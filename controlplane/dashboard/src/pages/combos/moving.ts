import type { Announcements } from '@dnd-kit/core';
import type { Draft } from './member';

export const instructions = 'Press space to pick the member up, the arrow keys to move it, space to drop it, and escape to leave it where it was.';

/** What is said aloud while a member moves. */
export function announcements(members: Draft[]): Announcements {
  const place = (id: unknown) => members.findIndex((member) => member.id === id) + 1;
  const name = (id: unknown) => members[place(id) - 1]?.model || `member ${place(id)}`;
  return {
    onDragStart: ({ active }) => `Picked up ${name(active.id)}, at place ${place(active.id)} of ${members.length}.`,
    // over itself it is as soon as it is picked up: that would cut off what was just said
    onDragOver: ({ active, over }) => (over && over.id !== active.id ? `${name(active.id)} is over place ${place(over.id)} of ${members.length}.` : undefined),
    onDragEnd: ({ active, over }) => `Dropped ${name(active.id)} at place ${place((over ?? active).id)} of ${members.length}.`,
    onDragCancel: ({ active }) => `${name(active.id)} stays at place ${place(active.id)}.`,
  };
}
