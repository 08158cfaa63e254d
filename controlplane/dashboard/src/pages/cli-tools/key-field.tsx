import { Button, Group, PasswordInput, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import { mayAct, useRole } from '../../parts/authority';
import { showApplied } from '../../parts/failure';
import { KnownKey } from './known-key';

type Props = { tool: string; value: string; onChange: (key: string) => void; error?: ReactNode };

/** A key to paste, a new one, or one of those there are, where copies of them are kept. */
export function KeyField({ tool, value, onChange, error }: Props) {
  const client = useQueryClient();
  const may = mayAct(useRole(), 'admin');
  const create = useMutation({
    mutationFn: () => settle(api.POST('/api/keys', { params: { query: { wait: 'applied' } }, body: { name: tool } })),
    onSuccess: ({ data, applied }) => {
      showApplied(t('Key {name} created', { name: data.name }), applied);
      void client.invalidateQueries({ queryKey: ['keys'] });
      onChange(data.key);
    },
  });
  return (
    <Stack gap="sm">
      {may && <KnownKey onKey={onChange} />}
      <Group align="flex-end" gap="xs">
        <PasswordInput
          label={t('API key')}
          description={t('Paste one, or make one for this tool.')}
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': t('Show the key') }}
          flex="1 1 260px"
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
          error={error}
        />
        {may && (
          <Button variant="default" loading={create.isPending} disabled={create.isSuccess} onClick={() => create.mutate()}>
            {t('Make a key')}
          </Button>
        )}
      </Group>
      {create.isSuccess && (
        <Text size="xs">{t('The new key is called {name}. It is in the script, and nowhere else.', { name: create.data.data.name })}</Text>
      )}
    </Stack>
  );
}
