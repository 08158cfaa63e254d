import { ActionIcon, Badge, Button, Code, Group, Table, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconEye, IconPencil, IconPlus, IconRefresh } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { AppliedSwitch } from '../parts/applied-switch';
import { confirmAct, confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { showApplied } from '../parts/failure';
import { Many } from '../parts/many';
import { amount, when } from '../parts/numbers';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { EditKey, NewKey, ShownKey } from './keys/dialogs';
import type { Key } from './keys/values';

const wait = { query: { wait: 'applied' } } as const;

export function KeysPage() {
  const client = useQueryClient();
  const [creating, create] = useState(false);
  const [edited, edit] = useState<Key | null>(null);
  const query = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['keys'] });

  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => create(true)}>
      {t('New key')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('API keys')} hint={t('What clients authenticate with. A key is shown once and stored only as a hash.')} action={add} />
      <Loaded
        query={query}
        empty={(data) =>
          data.keys.length === 0 && (
            <Empty title={t('No key yet')} hint={t('Make one, then point an SDK at this gateway with it.')} action={add} />
          )
        }
      >
        {(data) => (
          // a new one is what somebody looks for
          <Many items={data.keys.toReversed()} wordsOf={({ name, key }) => `${name} ${key}`} label={t('Find a key')}>
            {(keys) => <Keys keys={keys} onEdit={edit} onChanged={refresh} />}
          </Many>
        )}
      </Loaded>
      {creating && <NewKey onClose={() => create(false)} onCreated={refresh} />}
      {edited && <EditKey stored={edited} onClose={() => edit(null)} onSaved={refresh} />}
    </>
  );
}

function Keys({ keys, onEdit, onChanged }: { keys: Key[]; onEdit: (key: Key) => void; onChanged: () => Promise<void> }) {
  return (
    <Table.ScrollContainer minWidth={820}>
      <Table verticalSpacing="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('Name')}</Table.Th>
            <Table.Th>{t('Key')}</Table.Th>
            <Table.Th>{t('Models')}</Table.Th>
            <Table.Th>{t('Limits')}</Table.Th>
            <Table.Th>{t('Enabled')}</Table.Th>
            <Table.Th>
              <VisuallyHidden>{t('Actions')}</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {keys.map((key) => (
            <KeyRow key={key.id} stored={key} onEdit={() => onEdit(key)} onChanged={onChanged} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function KeyRow({ stored, onEdit, onChanged }: { stored: Key; onEdit: () => void; onChanged: () => Promise<void> }) {
  const { id, name } = stored;
  const remove = useMutation({
    mutationFn: () => settle(api.DELETE('/api/keys/{id}', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) => showApplied(t('Key deleted'), applied),
    onSettled: onChanged,
  });
  const replace = useMutation({
    mutationFn: () => settle(api.POST('/api/keys/{id}/regenerate', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) => showApplied(t('Key replaced'), applied),
    onSettled: onChanged,
  });
  const reveal = useMutation({ mutationFn: () => unwrap(api.GET('/api/keys/{id}/reveal', { params: { path: { id } } })) });
  return (
    <Table.Tr>
      <Table.Td>{name}</Table.Td>
      <Table.Td>
        <Code>{stored.key}</Code>
        <Text size="xs" c="dimmed">
          {stored.lastUsedAt ? t('last used at {moment}', { moment: when(stored.lastUsedAt) }) : t('not used yet')}
        </Text>
      </Table.Td>
      <Table.Td>
        <Patterns patterns={stored.allowedModels} />
      </Table.Td>
      <Table.Td>
        {limitsOf(stored).map((limit) => (
          <Text size="xs" key={limit}>
            {limit}
          </Text>
        ))}
      </Table.Td>
      <Table.Td>
        <AppliedSwitch
          label={t('{name} enabled', { name })}
          checked={stored.isActive}
          change={(isActive) => settle(api.PATCH('/api/keys/{id}', { params: { path: { id }, ...wait }, body: { isActive } }))}
          done={(isActive) => (isActive ? t('Key enabled') : t('Key disabled'))}
          onChanged={onChanged}
        />
      </Table.Td>
      <Table.Td>
        <Group gap={4} justify="flex-end" wrap="nowrap">
          <Tooltip label={t('Show the key')}>
            <ActionIcon variant="subtle" loading={reveal.isPending} aria-label={t('Show {name}', { name })} onClick={() => reveal.mutate()}>
              <IconEye size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={t('Replace the key')}>
            <ActionIcon
              variant="subtle"
              loading={replace.isPending}
              aria-label={t('Replace {name}', { name })}
              onClick={() =>
                confirmAct({
                  title: t('Replace {name}?', { name }),
                  consequence: t('Its name, limits and budget stay. Clients that use the old key are refused from now on.'),
                  confirm: t('Replace'),
                  cancel: t('Keep it'),
                  onConfirm: () => replace.mutate(),
                })
              }
            >
              <IconRefresh size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={t('Edit')}>
            <ActionIcon variant="subtle" aria-label={t('Edit {name}', { name })} onClick={onEdit}>
              <IconPencil size={16} />
            </ActionIcon>
          </Tooltip>
          <DeleteButton what={name} onClick={() => confirmDelete(name, t('Clients that use this key are refused from now on.'), () => remove.mutate())} />
        </Group>
        {replace.data && <ShownKey title={t('The new key of {name}', { name })} text={replace.data.data.key} onClose={replace.reset} />}
        {reveal.data && <ShownKey title={t('The key of {name}', { name })} text={reveal.data.key} kept onClose={reveal.reset} />}
      </Table.Td>
    </Table.Tr>
  );
}

function Patterns({ patterns }: { patterns: string[] }) {
  if (patterns.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t('all')}
      </Text>
    );
  return (
    <Group gap={4}>
      {patterns.map((pattern) => (
        <Badge key={pattern} variant="light" tt="none">
          {pattern}
        </Badge>
      ))}
    </Group>
  );
}

/** In words, each on a line of its own. */
function limitsOf({ rpm, tpm, concurrency, rateLimits, expiresAt, scopes, allowedConnections, noLog }: Key): string[] {
  const limits = [
    expiresAt != null && endOf(expiresAt),
    rpm != null && t('{count} requests per minute', { count: amount(rpm) }),
    tpm != null && t('{count} tokens per minute', { count: amount(tpm) }),
    concurrency != null && t('{count} requests at a time', { count: amount(concurrency) }),
    ...(rateLimits ?? []).map(({ limit, window }) => t('{limit} requests in {window} s', { limit: amount(limit), window: amount(window) })),
    allowedConnections.length > 0 && t('connections: {count}', { count: amount(allowedConnections.length) }),
    scopes.join() !== 'inference' && t('scopes: {scopes}', { scopes: scopes.join(', ') }),
    noLog && t('not logged'),
  ].filter((limit): limit is string => typeof limit === 'string');
  return limits.length > 0 ? limits : [t('no limit')];
}

const endOf = (expiresAt: string) =>
  Date.parse(expiresAt) < Date.now() ? t('ended at {moment}', { moment: when(expiresAt) }) : t('until {moment}', { moment: when(expiresAt) });
