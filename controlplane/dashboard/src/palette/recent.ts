/** Which entries were chosen lately, the newest first, on this machine. Nothing in it is secret: ids only. */
const STORED_AS = 'omniroute.palette.recent';
const KEPT = 6;

export function readRecent(store: Pick<Storage, 'getItem'> = localStorage): string[] {
  try {
    const stored: unknown = JSON.parse(store.getItem(STORED_AS) ?? '[]');
    return Array.isArray(stored) ? stored.filter((id) => typeof id === 'string').slice(0, KEPT) : [];
  } catch {
    // somebody else wrote it, or storage is switched off: nothing is recent
    return [];
  }
}

export function remember(id: string, store: Pick<Storage, 'getItem' | 'setItem'> = localStorage): void {
  const recent = [id, ...readRecent(store).filter((other) => other !== id)].slice(0, KEPT);
  try {
    store.setItem(STORED_AS, JSON.stringify(recent));
  } catch {
    // full or switched off: the palette works without
  }
}
