import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { t } from '../i18n';

type Question = {
  title: string;
  /** What will happen. */
  consequence: string;
  confirm: string;
  cancel: string;
  onConfirm: () => void;
};

/** Asks before something that cannot be taken back. */
export function confirmAct({ title, consequence, confirm, cancel, onConfirm }: Question) {
  modals.openConfirmModal({
    title,
    children: <Text size="sm">{consequence}</Text>,
    labels: { confirm, cancel },
    confirmProps: { color: 'red' },
    onConfirm,
  });
}

/** Asks before something is destroyed, and says what will be. */
export function confirmDelete(what: string, consequence: string, onConfirm: () => void) {
  confirmAct({ title: t('Delete {what}?', { what }), consequence, confirm: t('Delete'), cancel: t('Keep it'), onConfirm });
}
