import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';

/** Asks before something is destroyed, and says what will be. */
export function confirmDelete(what: string, consequence: string, onConfirm: () => void) {
  modals.openConfirmModal({
    title: `Delete ${what}?`,
    children: <Text size="sm">{consequence}</Text>,
    labels: { confirm: 'Delete', cancel: 'Keep it' },
    confirmProps: { color: 'red' },
    onConfirm,
  });
}
