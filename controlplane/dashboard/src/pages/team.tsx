import { Alert, Badge, Button, Code, Group, Modal, MultiSelect, PasswordInput, Select, Stack, Switch, Table, Text, TextInput, Title, VisuallyHidden } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '../api/client';
import { type Role, mayAct, roles, useRole } from '../parts/authority';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { Snippet } from '../parts/snippet';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { when } from '../parts/numbers';

const meanings: Record<Role, string> = {
  viewer: 'looks',
  operator: 'runs providers, models and routing',
  admin: 'decides who gets in and what it may cost',
  owner: 'manages accounts',
};
const roleOptions = roles.map((role) => ({ value: role, label: `${role}: ${meanings[role]}` }));

/** Who may run the gateway: people with roles, programs with scopes. */
export function TeamPage() {
  const own = useRole();
  if (!mayAct(own, 'admin'))
    return (
      <>
        <PageHeader title="Team" hint="Who may run this gateway." />
        <Alert color="gray">Your role is {own}. Seeing who else is here takes the role admin.</Alert>
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
      New account
    </Button>
  );
  return (
    <section aria-label="Accounts">
      <PageHeader title="Team" hint="People who may run this gateway. A role includes the ones before it." action={add} />
      {!mayChange && (
        <Alert color="gray" mb="md">
          Changing accounts takes the role owner.
        </Alert>
      )}
      <Loaded query={query}>
        {({ accounts }) => (
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Name</Table.Th>
                  <Table.Th>Role</Table.Th>
                  <Table.Th>Signs in by</Table.Th>
                  <Table.Th>Last signed in</Table.Th>
                  <Table.Th>Active</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {accounts.map((account) => (
                  <Table.Tr key={account.id}>
                    <Table.Td>{account.username}</Table.Td>
                    <Table.Td>
                      <Select
                        aria-label={`Role of ${account.username}`}
                        data={roleOptions}
                        value={account.role}
                        allowDeselect={false}
                        // the identity provider decides
                        disabled={!mayChange || account.byOidc}
                        onChange={(role) => role && change.mutate({ id: account.id, role: role as Role })}
                      />
                    </Table.Td>
                    <Table.Td>{account.byOidc ? 'single sign-on' : 'password'}</Table.Td>
                    <Table.Td>{account.lastLoginAt ? when(account.lastLoginAt) : 'never'}</Table.Td>
                    <Table.Td>
                      <Switch
                        checked={account.isActive}
                        disabled={!mayChange}
                        onChange={(event) => change.mutate({ id: account.id, isActive: event.currentTarget.checked })}
                        aria-label={`${account.username} active`}
                      />
                    </Table.Td>
                    <Table.Td ta="right">
                      {mayChange && (
                        <DeleteButton
                          what={account.username}
                          onClick={() =>
                            confirmDelete(account.username, 'Whoever uses this account is signed out and cannot come back.', () =>
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
    validate: { password: (value) => (value.length >= 8 ? null : 'At least 8 characters') },
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
    <Modal opened={opened} onClose={dismiss} title="New account">
      <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
        <Stack>
          <TextInput label="Username" required data-autofocus autoComplete="off" {...form.getInputProps('username')} />
          <Select label="Role" data={roleOptions} allowDeselect={false} {...form.getInputProps('role')} />
          <PasswordInput
            label="First password"
            description="Tell it to them; they can change it."
            required
            autoComplete="new-password"
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={create.isPending}>
            Create
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
      New token
    </Button>
  );
  return (
    <section aria-label="Management tokens">
      <Group justify="space-between" align="flex-start" mb="lg">
        <div>
          <Title order={2} size="h3">
            Management tokens
          </Title>
          <Text c="dimmed">For programs that manage the gateway, each with no more than its task needs.</Text>
        </div>
        {add}
      </Group>
      <Loaded
        query={query}
        empty={({ tokens }) => tokens.length === 0 && <Empty title="No token yet" hint="A deployment script or a dashboard of your own uses one." />}
      >
        {({ tokens }) => (
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Name</Table.Th>
                  <Table.Th>Token</Table.Th>
                  <Table.Th>Scopes</Table.Th>
                  <Table.Th>Made by</Table.Th>
                  <Table.Th>Last used</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
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
                    <Table.Td>{token.lastUsedAt ? when(token.lastUsedAt) : 'never'}</Table.Td>
                    <Table.Td ta="right">
                      <DeleteButton
                        what={token.name}
                        onClick={() => confirmDelete(token.name, 'Programs that use this token are refused from now on.', () => remove.mutate(token.id))}
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
      name: (value) => (value.trim() ? null : 'A name tells you later whose token this is'),
      scopes: (value) => (value.length > 0 ? null : 'Choose at least one'),
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
    <Modal opened={opened} onClose={dismiss} title="New management token">
      {created ? (
        <Stack>
          <Alert color="yellow">Copy it now. It is not stored and cannot be shown again.</Alert>
          <Snippet text={created} label="Management token" />
          <Button onClick={dismiss}>Done</Button>
        </Stack>
      ) : (
        <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
          <Stack>
            <TextInput label="Name" placeholder="deploy, grafana" data-autofocus {...form.getInputProps('name')} />
            <MultiSelect
              label="Scopes"
              description="Writing includes reading; * is every area."
              data={scopes}
              searchable
              {...form.getInputProps('scopes')}
            />
            <Button type="submit" loading={create.isPending}>
              Create
            </Button>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
