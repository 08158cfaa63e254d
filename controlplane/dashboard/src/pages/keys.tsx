import { Alert, Badge, Button, Code, Group, Modal, Stack, Switch, Table, TagsInput, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { showApplied } from '../parts/failure';
import { Snippet } from '../parts/snippet';
import { Empty, Loaded, PageHeader } from '../parts/states';

const wait = { query: { wait: 'applied' } } as const;

export function KeysPage() {
  const client = useQueryClient();
  const [creating, { open, close }] = useDisclosure();
  const query = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['keys'] });

  const toggle = useMutation({
    mutationFn: ({ id, isActive }: { id: string; isActive: boolean }) =>
      settle(api.PATCH('/api/keys/{id}', { params: { path: { id }, ...wait }, body: { isActive } })),
    onSuccess: ({ applied }, { isActive }) => showApplied(isActive ? t('Key enabled') : t('Key disabled'), applied),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: (id: string) => settle(api.DELETE('/api/keys/{id}', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) => showApplied(t('Key deleted'), applied),
    onSettled: refresh,
  });

  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={open}>
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
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Name')}</Table.Th>
                  <Table.Th>{t('Key')}</Table.Th>
                  <Table.Th>{t('Models')}</Table.Th>
                  <Table.Th>{t('Enabled')}</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.keys.map((key) => (
                  <Table.Tr key={key.id}>
                    <Table.Td>{key.name}</Table.Td>
                    <Table.Td>
                      <Code>{key.key}</Code>
                    </Table.Td>
                    <Table.Td>
                      {key.allowedModels.length === 0 ? (
                        <Text size="sm" c="dimmed">
                          {t('all')}
                        </Text>
                      ) : (
                        <Group gap={4}>
                          {key.allowedModels.map((pattern) => (
                            <Badge key={pattern} variant="light" tt="none">
                              {pattern}
                            </Badge>
                          ))}
                        </Group>
                      )}
                    </Table.Td>
                    <Table.Td>
                      <Switch
                        checked={key.isActive}
                        onChange={(event) => toggle.mutate({ id: key.id, isActive: event.currentTarget.checked })}
                        aria-label={t('{name} enabled', { name: key.name })}
                      />
                    </Table.Td>
                    <Table.Td ta="right">
                      <DeleteButton what={key.name} onClick={() =>
                            confirmDelete(key.name, t('Clients that use this key are refused from now on.'), () => remove.mutate(key.id))
                          } />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
      <NewKey opened={creating} onClose={close} onCreated={refresh} />
    </>
  );
}

function NewKey({ opened, onClose, onCreated }: { opened: boolean; onClose: () => void; onCreated: () => void }) {
  const [created, setCreated] = useState<string | null>(null);
  const form = useForm({
    initialValues: { name: '', allowedModels: [] as string[] },
    validate: { name: (value) => (value.trim() ? null : t('A name tells you later whose key this is')) },
  });
  const create = useMutation({
    mutationFn: (body: { name: string; allowedModels: string[] }) => settle(api.POST('/api/keys', { params: wait, body })),
    onSuccess: ({ data, applied }) => {
      setCreated(data.key);
      showApplied(t('Key created'), applied);
      onCreated();
    },
  });
  function dismiss() {
    setCreated(null);
    form.reset();
    onClose();
  }
  return (
    <Modal opened={opened} onClose={dismiss} title={t('New API key')}>
      {created ? (
        <Stack>
          <Alert color="yellow">{t('Copy it now. It is not stored and cannot be shown again.')}</Alert>
          <Snippet text={created} label={t('API key')} />
          <Button onClick={dismiss}>{t('Done')}</Button>
        </Stack>
      ) : (
        <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
          <Stack>
            <TextInput label={t('Name')} placeholder={t('ci, alice, checkout-service')} data-autofocus {...form.getInputProps('name')} />
            <TagsInput
              label={t('Allowed models')}
              description={t("Patterns such as openai/* or a combo's name. Empty allows all.")}
              {...form.getInputProps('allowedModels')}
            />
            <Button type="submit" loading={create.isPending}>
              {t('Create')}
            </Button>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
