import { Alert, Badge, Button, Code, Group, Modal, MultiSelect, PasswordInput, Select, Stack, Switch, Table, Text, TextInput, Title, VisuallyHidden } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import { type Role, mayAct, roles, useRole } from '../parts/authority';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { Snippet } from '../parts/snippet';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { when } from '../parts/numbers';

const meanings: Record<Role, string> = {
  viewer: t('looks'),
  operator: t('runs providers, models and routing'),
  admin: t('decides who gets in and what it may cost'),
  owner: t('manages accounts'),
};
const roleOptions = roles.map((role) => ({ value: role, label: `${role}: ${meanings[role]}` }));

/** Who may run the gateway: people with roles, programs with scopes. */
export function TeamPage() {
  const own = useRole();
  if (!mayAct(own, 'admin'))
    return (
      <>
        <PageHeader title={t('Team')} hint={t('Who may run this gateway.')} />
        <Alert color="gray">{t('Your role is {own}. Seeing who else is here takes the role admin.', { own })}</Alert>
      </>
    );
  return (
    <Stack gap="xl">
      <Accounts mayChange={mayAct(own, 'owner')} />
      <Tokens />
    </Stack>
  );
}

function Accounts({ mayChange }: { mayChange: boolean }) {
  const client = useQueryClient();
  const [creating, { open, close }] = useDisclosure();
  const query = useQuery({ queryKey: ['accounts'], queryFn: () => unwrap(api.GET('/api/accounts')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['accounts'] });
  const change = useMutation({
    mutationFn: ({ id, ...body }: { id: string; role?: Role; isActive?: boolean }) =>
      unwrap(api.PATCH('/api/accounts/{id}', { params: { path: { id } }, body })),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: (id: string) => unwrap(api.DELETE('/api/accounts/{id}', { params: { path: { id } } })),
    onSettled: refresh,
  });
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={open} disabled={!mayChange}>
      {t('New account')}
    </Button>
  );
  return (
    <section aria-label={t('Accounts')}>
      <PageHeader title={t('Team')} hint={t('People who may run this gateway. A role includes the ones before it.')} action={add} />
      {!mayChange && (
        <Alert color="gray" mb="md">
          {t('Changing accounts takes the role owner.')}
        </Alert>
      )}
      <Loaded query={query}>
        {({ accounts }) => (
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Name')}</Table.Th>
                  <Table.Th>{t('Role')}</Table.Th>
                  <Table.Th>{t('Signs in by')}</Table.Th>
                  <Table.Th>{t('Last signed in')}</Table.Th>
                  <Table.Th>{t('Active')}</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {accounts.map((account) => (
                  <Table.Tr key={account.id}>
                    <Table.Td>{account.username}</Table.Td>
                    <Table.Td>
                      <Select
                        aria-label={t('Role of {username}', { username: account.username })}
                        data={roleOptions}
                        value={account.role}
                        allowDeselect={false}
                        // the identity provider decides
                        disabled={!mayChange || account.byOidc}
                        onChange={(role) => role && change.mutate({ id: account.id, role: role as Role })}
                      />
                    </Table.Td>
                    <Table.Td>{account.byOidc ? t('single sign-on') : t('password')}</Table.Td>
                    <Table.Td>{account.lastLoginAt ? when(account.lastLoginAt) : t('never')}</Table.Td>
                    <Table.Td>
                      <Switch
                        checked={account.isActive}
                        disabled={!mayChange}
                        onChange={(event) => change.mutate({ id: account.id, isActive: event.currentTarget.checked })}
                        aria-label={t('{username} active', { username: account.username })}
                      />
                    </Table.Td>
                    <Table.Td ta="right">
                      {mayChange && (
                        <DeleteButton
                          what={account.username}
                          onClick={() =>
                            confirmDelete(account.username, t('Whoever uses this account is signed out and cannot come back.'), () =>
                              remove.mutate(account.id),
                            )
                          }
                        />
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
      <NewAccount opened={creating} onClose={close} onCreated={refresh} />
    </section>
  );
}

function NewAccount({ opened, onClose, onCreated }: { opened: boolean; onClose: () => void; onCreated: () => void }) {
  const form = useForm({
    initialValues: { username: '', role: 'viewer' as Role, password: '' },
    validate: { password: (value) => (value.length >= 8 ? null : t('At least 8 characters')) },
  });
  function dismiss() {
    form.reset();
    onClose();
  }
  const create = useMutation({
    mutationFn: (body: { username: string; role: Role; password: string }) => unwrap(api.POST('/api/accounts', { body })),
    onSuccess: () => {
      onCreated();
      dismiss();
    },
  });
  return (
    <Modal opened={opened} onClose={dismiss} title={t('New account')}>
      <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
        <Stack>
          <TextInput label={t('Username')} required data-autofocus autoComplete="off" {...form.getInputProps('username')} />
          <Select label={t('Role')} data={roleOptions} allowDeselect={false} {...form.getInputProps('role')} />
          <PasswordInput
            label={t('First password')}
            description={t('Tell it to them; they can change it.')}
            required
            autoComplete="new-password"
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={create.isPending}>
            {t('Create')}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}

function Tokens() {
  const client = useQueryClient();
  const [creating, { open, close }] = useDisclosure();
  const query = useQuery({ queryKey: ['tokens'], queryFn: () => unwrap(api.GET('/api/tokens')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['tokens'] });
  const remove = useMutation({
    mutationFn: (id: string) => unwrap(api.DELETE('/api/tokens/{id}', { params: { path: { id } } })),
    onSettled: refresh,
  });
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={open}>
      {t('New token')}
    </Button>
  );
  return (
    <section aria-label={t('Management tokens')}>
      <Group justify="space-between" align="flex-start" mb="lg">
        <div>
          <Title order={2} size="h3">
            {t('Management tokens')}
          </Title>
          <Text c="dimmed">{t('For programs that manage the gateway, each with no more than its task needs.')}</Text>
        </div>
        {add}
      </Group>
      <Loaded
        query={query}
        empty={({ tokens }) => tokens.length === 0 && <Empty title={t('No token yet')} hint={t('A deployment script or a dashboard of your own uses one.')} />}
      >
        {({ tokens }) => (
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Name')}</Table.Th>
                  <Table.Th>{t('Token')}</Table.Th>
                  <Table.Th>{t('Scopes')}</Table.Th>
                  <Table.Th>{t('Made by')}</Table.Th>
                  <Table.Th>{t('Last used')}</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {tokens.map((token) => (
                  <Table.Tr key={token.id}>
                    <Table.Td>{token.name}</Table.Td>
                    <Table.Td>
                      <Code>{token.token}</Code>
                    </Table.Td>
                    <Table.Td>
                      <Group gap={4}>
                        {token.scopes.map((scope) => (
                          <Badge key={scope} variant="light" tt="none">
                            {scope}
                          </Badge>
                        ))}
                      </Group>
                    </Table.Td>
                    <Table.Td>{token.createdBy}</Table.Td>
                    <Table.Td>{token.lastUsedAt ? when(token.lastUsedAt) : t('never')}</Table.Td>
                    <Table.Td ta="right">
                      <DeleteButton
                        what={token.name}
                        onClick={() => confirmDelete(token.name, t('Programs that use this token are refused from now on.'), () => remove.mutate(token.id))}
                      />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
      <NewToken areas={query.data?.areas ?? []} opened={creating} onClose={close} onCreated={refresh} />
    </section>
  );
}

function NewToken({ areas, opened, onClose, onCreated }: { areas: string[]; opened: boolean; onClose: () => void; onCreated: () => void }) {
  const [created, setCreated] = useState<string | null>(null);
  const form = useForm({
    initialValues: { name: '', scopes: [] as string[] },
    validate: {
      name: (value) => (value.trim() ? null : t('A name tells you later whose token this is')),
      scopes: (value) => (value.length > 0 ? null : t('Choose at least one')),
    },
  });
  const create = useMutation({
    mutationFn: (body: { name: string; scopes: string[] }) => unwrap(api.POST('/api/tokens', { body })),
    onSuccess: ({ token }) => {
      setCreated(token);
      onCreated();
    },
  });
  function dismiss() {
    setCreated(null);
    form.reset();
    onClose();
  }
  const scopes = ['*', ...areas].flatMap((area) => [`${area}:read`, `${area}:write`]);
  return (
    <Modal opened={opened} onClose={dismiss} title={t('New management token')}>
      {created ? (
        <Stack>
          <Alert color="yellow">{t('Copy it now. It is not stored and cannot be shown again.')}</Alert>
          <Snippet text={created} label={t('Management token')} />
          <Button onClick={dismiss}>{t('Done')}</Button>
        </Stack>
      ) : (
        <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
          <Stack>
            <TextInput label={t('Name')} placeholder={t('deploy, grafana')} data-autofocus {...form.getInputProps('name')} />
            <MultiSelect
              label={t('Scopes')}
              description={t('Writing includes reading; * is every area.')}
              data={scopes}
              searchable
              {...form.getInputProps('scopes')}
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
