import { ActionIcon, Alert, Badge, Button, Code, Group, Stack, Table, Text, Tooltip } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPencil } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { apiWord } from '../../parts/api-words';
import { AppliedSwitch } from '../../parts/applied-switch';
import { confirmDelete } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { showApplied } from '../../parts/failure';
import { milliseconds, span, when } from '../../parts/numbers';
import { type Proxy, addressOf } from '../../parts/proxies';
import { Handle, useMovable } from '../../parts/sorted';
import { EditConnection } from './edit-connection';
import { type Catalog, type Connection, nameOf } from './groups';
import { QuotaBars } from './quota';
import { SignIn } from './sign-in';
import { type Standing, restOf } from './standing';

type Verdict = components['schemas']['TestView'];

const wait = { query: { wait: 'applied' } } as const;
const colors: Record<string, string> = { active: 'teal', error: 'red', expired: 'red' };

type Props = {
  connection: Connection;
  /** What the catalogue says of its provider. */
  entry: Catalog[string] | undefined;
  /** The proxy of its own that its calls go through. */
  proxy: Proxy | undefined;
  movable: boolean;
  standing: Standing | undefined;
  onChanged: () => Promise<void>;
};

export function ConnectionRow({ connection, entry, proxy, movable, standing, onChanged }: Props) {
  const { id } = connection;
  const name = nameOf(connection);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [signingIn, signIn] = useDisclosure();
  const [editing, edit] = useDisclosure();
  const [detailed, { toggle: toggleDetails }] = useDisclosure();
  const { ref, style, handle } = useMovable(id);
  const isAccount = connection.authType === 'oauth';
  const columns = movable ? 6 : 5;

  const test = useMutation({
    mutationFn: () => unwrap(api.POST('/api/providers/{id}/test', { params: { path: { id } } })),
    onMutate: () => setVerdict(null),
    onSuccess: setVerdict,
    onSettled: onChanged,
  });
  const remove = useMutation({
    mutationFn: () => settle(api.DELETE('/api/providers/{id}', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) => showApplied(t('{name} deleted', { name }), applied),
    onSettled: onChanged,
  });

  return (
    <>
      <Table.Tr ref={ref} style={style}>
        {movable && (
          <Table.Td>
            <Handle of={handle} label={t('Move {name}', { name })} />
          </Table.Td>
        )}
        <Table.Td>
          {name}
          {proxy && (
            <Text size="xs" c="dimmed">
              {t('through {address}', { address: addressOf(proxy) })}
            </Text>
          )}
        </Table.Td>
        <Table.Td>{isAccount ? <Text size="sm">{t('signed in')}</Text> : <Code>{connection.maskedApiKey ?? '–'}</Code>}</Table.Td>
        <Table.Td>
          <Badge variant="light" color={colors[connection.testStatus] ?? 'gray'}>
            {connection.testStatus === 'unknown' ? t('not tested') : apiWord(connection.testStatus)}
          </Badge>
          {connection.lastError && (
            <Text size="xs" c="dimmed" lineClamp={2} title={connection.lastError}>
              {connection.lastError}
            </Text>
          )}
          {standing && <Rests connectionId={id} standing={standing} />}
        </Table.Td>
        <Table.Td>
          <AppliedSwitch
            label={t('{name} enabled', { name })}
            checked={connection.isActive}
            change={(isActive) => settle(api.PATCH('/api/providers/{id}', { params: { path: { id }, ...wait }, body: { isActive } }))}
            done={(isActive) => (isActive ? t('{name} enabled', { name }) : t('{name} disabled', { name }))}
            onChanged={onChanged}
          />
        </Table.Td>
        <Table.Td>
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            {isAccount && (
              <Button size="compact-sm" variant="default" onClick={signIn.open} aria-label={t('Sign in to {name} again', { name })}>
                {t('Sign in again')}
              </Button>
            )}
            <Button size="compact-sm" variant="default" aria-expanded={detailed} onClick={toggleDetails} aria-label={t('Quota of {name}', { name })}>
              {t('Quota')}
            </Button>
            <Button
              size="compact-sm"
              variant="default"
              loading={test.isPending}
              onClick={() => test.mutate()}
              aria-label={t('Test {name}', { name })}
            >
              {t('Test')}
            </Button>
            <Tooltip label={t('Edit')}>
              <ActionIcon variant="subtle" aria-label={t('Edit {name}', { name })} onClick={edit.open}>
                <IconPencil size={16} />
              </ActionIcon>
            </Tooltip>
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
      {editing && <EditConnection connection={connection} entry={entry} onClose={edit.close} onSaved={onChanged} />}
      {isAccount && <SignIn opened={signingIn} again={connection} onClose={signIn.close} onSaved={() => void onChanged()} />}
      {verdict && (
        <Table.Tr>
          <Table.Td colSpan={columns}>
            <Diagnosis verdict={verdict} onClose={() => setVerdict(null)} />
          </Table.Td>
        </Table.Tr>
      )}
      {detailed && (
        <Table.Tr>
          <Table.Td colSpan={columns}>
            <QuotaBars connectionId={id} name={name} />
          </Table.Td>
        </Table.Tr>
      )}
    </>
  );
}

/** Why it is not asked just now. */
function Rests({ connectionId, standing }: { connectionId: string; standing: Standing }) {
  const { until, models } = restOf(connectionId, standing.limits);
  return (
    <>
      {until && (
        <Text size="xs" c="dimmed">
          {t('rests until {moment}', { moment: when(until) })}
        </Text>
      )}
      {models.map(({ model, remainingMs, reason }) => (
        <Text size="xs" c="dimmed" key={model}>
          {t('{model} rests for {time} ({reason})', { model, time: span(remainingMs), reason })}
        </Text>
      ))}
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
