import { ActionIcon, Tooltip } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { t } from '../i18n';

export function DeleteButton({ what, onClick }: { what: string; onClick: () => void }) {
  return (
    <Tooltip label={t('Delete')}>
      <ActionIcon variant="subtle" color="red" aria-label={t('Delete {what}', { what })} onClick={onClick}>
        <IconTrash size={16} />
      </ActionIcon>
    </Tooltip>
  );
}
