import { Button, Group, PasswordInput, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, settle } from '../../api/client';
import { mayAct, useRole } from '../../parts/authority';
import { showApplied } from '../../parts/failure';

type Props = { tool: string; value: string; onChange: (key: string) => void; error?: ReactNode };

/** A key to paste, or a new one: those that exist are stored as hashes, and cannot be picked. */
export function KeyField({ tool, value, onChange, error }: Props) {
  const client = useQueryClient();
  const may = mayAct(useRole(), 'admin');
  const create = useMutation({
    mutationFn: () => settle(api.POST('/api/keys', { params: { query: { wait: 'applied' } }, body: { name: tool } })),
    onSuccess: ({ data, applied }) => {
      showApplied(`Key ${data.name} created`, applied);
      void client.invalidateQueries({ queryKey: ['keys'] });
      onChange(data.key);
    },
  });
  return (
    <div>
      <Group align="flex-end" gap="xs">
        <PasswordInput
          label="API key"
          description="Keys that exist cannot be shown again: paste one, or make one for this tool."
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': 'Show the key' }}
          flex="1 1 260px"
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
          error={error}
        />
        {may && (
          <Button variant="default" loading={create.isPending} disabled={create.isSuccess} onClick={() => create.mutate()}>
            Make a key
          </Button>
        )}
      </Group>
      {create.isSuccess && (
        <Text size="xs" mt={4}>
          The new key is called {create.data.data.name}. It is in the script, and nowhere else.
        </Text>
      )}
    </div>
  );
}
