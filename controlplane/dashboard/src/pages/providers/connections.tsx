import { Alert, Badge, Button, Code, Group, Stack, Switch, Table, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { apiWord } from '../../parts/api-words';
import { confirmDelete } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { showApplied } from '../../parts/failure';
import { milliseconds } from '../../parts/numbers';
import type { Connection } from './groups';
import { SignIn } from './sign-in';

type Verdict = components['schemas']['TestView'];

const wait = { query: { wait: 'applied' } } as const;
const colors: Record<string, string> = { active: 'teal', error: 'red', expired: 'red' };

/** The connections of one provider. */
export function Connections({ connections, onChanged }: { connections: Connection[]; onChanged: () => void }) {
  if (connections.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('No connection yet: requests to this endpoint are refused until it has one.')}
      </Text>
    );
  }
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Connection')}</Table.Th>
            <Table.Th>{t('Key')}</Table.Th>
            <Table.Th>{t('Status')}</Table.Th>
            <Table.Th>{t('Enabled')}</Table.Th>
            <Table.Th>
              <VisuallyHidden>{t('Actions')}</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {connections.map((connection) => (
            <ConnectionRow key={connection.id} connection={connection} onChanged={onChanged} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function ConnectionRow({ connection, onChanged }: { connection: Connection; onChanged: () => void }) {
  const { id } = connection;
  const name = connection.name ?? connection.email ?? id;
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [signingIn, signIn] = useDisclosure();
  const isAccount = connection.authType === 'oauth';

  const test = useMutation({
    mutationFn: () => unwrap(api.POST('/api/providers/{id}/test', { params: { path: { id } } })),
    onMutate: () => setVerdict(null),
    onSuccess: setVerdict,
    onSettled: onChanged,
  });
  const toggle = useMutation({
    mutationFn: (isActive: boolean) => settle(api.PATCH('/api/providers/{id}', { params: { path: { id }, ...wait }, body: { isActive } })),
    onSuccess: ({ applied }, isActive) => showApplied(isActive ? t('{name} enabled', { name }) : t('{name} disabled', { name }), applied),
    onSettled: onChanged,
  });
  const remove = useMutation({
    mutationFn: () => settle(api.DELETE('/api/providers/{id}', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) => showApplied(t('{name} deleted', { name }), applied),
    onSettled: onChanged,
  });

  return (
    <>
      <Table.Tr>
        <Table.Td>{name}</Table.Td>
        <Table.Td>{isAccount ? <Text size="sm">{t('signed in')}</Text> : <Code>{connection.maskedApiKey ?? '–'}</Code>}</Table.Td>
        <Table.Td>
          <Badge variant="light" color={colors[connection.testStatus] ?? 'gray'}>
            {connection.testStatus === 'unknown' ? t('not tested') : apiWord(connection.testStatus)}
          </Badge>
        </Table.Td>
        <Table.Td>
          <Switch
            checked={connection.isActive}
            disabled={toggle.isPending}
            onChange={(event) => toggle.mutate(event.currentTarget.checked)}
            aria-label={t('{name} enabled', { name })}
          />
        </Table.Td>
        <Table.Td>
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            {isAccount && (
              <Button size="compact-sm" variant="default" onClick={signIn.open} aria-label={t('Sign in to {name} again', { name })}>
                {t('Sign in again')}
              </Button>
            )}
            <Button
              size="compact-sm"
              variant="default"
              loading={test.isPending}
              onClick={() => test.mutate()}
              aria-label={t('Test {name}', { name })}
            >
              {t('Test')}
            </Button>
            <DeleteButton
              what={name}
              onClick={() =>
                confirmDelete(
                  name,
                  isAccount ? t('Its tokens are erased, and requests no longer use it.') : t('Its key is erased, and requests no longer use it.'),
                  () => remove.mutate(),
                )
              }
            />
          </Group>
        </Table.Td>
      </Table.Tr>
      {isAccount && <SignIn opened={signingIn} again={connection} onClose={signIn.close} onSaved={onChanged} />}
      {verdict && (
        <Table.Tr>
          <Table.Td colSpan={5}>
            <Diagnosis verdict={verdict} onClose={() => setVerdict(null)} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

function Diagnosis({ verdict, onClose }: { verdict: Verdict; onClose: () => void }) {
  const { diagnosis, valid, statusCode, latencyMs } = verdict;
  const facts = [diagnosis.type, statusCode ? `HTTP ${statusCode}` : null, milliseconds(latencyMs)].filter(Boolean);
  return (
    <Alert
      role="status"
      color={valid ? 'teal' : 'red'}
      title={valid ? t('The provider accepts this connection') : t('The provider cannot be used with this connection')}
      withCloseButton
      closeButtonLabel={t('Dismiss')}
      onClose={onClose}
    >
      <Stack gap={2}>
        <Text size="sm">{diagnosis.message}</Text>
        <Text size="xs">{facts.join(' · ')}</Text>
      </Stack>
    </Alert>
  );
}
