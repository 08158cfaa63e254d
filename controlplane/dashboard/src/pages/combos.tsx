import { ActionIcon, Badge, Button, Card, Code, Group, Modal, Stack, Switch, Text, TextInput, Title, Tooltip } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconArrowDown, IconArrowUp, IconPencil, IconPlus, IconX } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, settle, unwrap } from '../api/client';
import { modelOf } from './combos/member';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { showApplied } from '../parts/failure';
import { Empty, Loaded, PageHeader } from '../parts/states';

const wait = { query: { wait: 'applied' } } as const;
type Draft = { id?: string; name: string; models: string[] };

export function CombosPage() {
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft | null>(null);
  const query = useQuery({ queryKey: ['combos'], queryFn: () => unwrap(api.GET('/api/combos')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['combos'] });

  const toggle = useMutation({
    mutationFn: ({ id, isActive }: { id: string; isActive: boolean }) =>
      settle(api.PATCH('/api/combos/{id}', { params: { path: { id }, ...wait }, body: { isActive } })),
    onSuccess: ({ applied }, { isActive }) => showApplied(isActive ? 'Combo enabled' : 'Combo disabled', applied),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: (id: string) => settle(api.DELETE('/api/combos/{id}', { params: { path: { id }, ...wait } })),
    onSuccess: ({ applied }) => showApplied('Combo deleted', applied),
    onSettled: refresh,
  });

  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setDraft({ name: '', models: [''] })}>
      New combo
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Combos"
        hint="One name for several models. The first that answers wins; the others wait in order."
        action={add}
      />
      <Loaded
        query={query}
        empty={({ combos }) =>
          combos.length === 0 && (
            <Empty title="No combo yet" hint="Name one, list models in the order to try, and use its name as a model." action={add} />
          )
        }
      >
        {({ combos }) => (
          <Stack>
            {combos.map((combo) => (
              <Card withBorder key={combo.id}>
                <Group justify="space-between" mb="xs">
                  <Group gap="xs">
                    <Title order={2} size="h4">
                      {combo.name}
                    </Title>
                    <Badge variant="light" tt="none">
                      {combo.strategy}
                    </Badge>
                  </Group>
                  <Group gap="xs">
                    <Switch
                      checked={combo.isActive}
                      onChange={(event) => toggle.mutate({ id: combo.id, isActive: event.currentTarget.checked })}
                      aria-label={`${combo.name} enabled`}
                    />
                    <Tooltip label="Edit">
                      <ActionIcon
                        variant="subtle"
                        aria-label={`Edit ${combo.name}`}
                        onClick={() => setDraft({ id: combo.id, name: combo.name, models: combo.models.map(modelOf) })}
                      >
                        <IconPencil size={16} />
                      </ActionIcon>
                    </Tooltip>
                    <DeleteButton what={combo.name} onClick={() =>
                          confirmDelete(combo.name, 'Requests that name it are refused from now on.', () => remove.mutate(combo.id))
                        } />
                  </Group>
                </Group>
                <Group gap="xs">
                  {combo.models.map(modelOf).map((model, position) => (
                    <Group gap={4} key={`${position}-${model}`}>
                      {position > 0 && (
                        <Text c="dimmed" size="sm">
                          then
                        </Text>
                      )}
                      <Code>{model}</Code>
                    </Group>
                  ))}
                </Group>
              </Card>
            ))}
          </Stack>
        )}
      </Loaded>
      {draft && <ComboEditor draft={draft} onClose={() => setDraft(null)} onSaved={refresh} />}
    </>
  );
}

function ComboEditor({ draft, onClose, onSaved }: { draft: Draft; onClose: () => void; onSaved: () => void }) {
  const form = useForm({
    initialValues: { name: draft.name, models: draft.models },
    validate: {
      name: (value) => (/^[a-zA-Z0-9_/.-]+$/.test(value) ? null : 'Letters, digits and _ / . - only'),
      models: (value) => (value.some((model) => model.trim()) ? null : 'Name at least one model'),
    },
  });
  const save = useMutation({
    mutationFn: async (body: { name: string; models: string[] }) =>
      draft.id === undefined
        ? settle(api.POST('/api/combos', { params: wait, body }))
        : settle(api.PATCH('/api/combos/{id}', { params: { path: { id: draft.id }, ...wait }, body })),
    onSuccess: ({ applied }, { name }) => {
      showApplied(`${name} saved`, applied);
      onSaved();
      onClose();
    },
  });
  const models = form.values.models;
  return (
    <Modal opened onClose={onClose} title={draft.id ? `Edit ${draft.name}` : 'New combo'}>
      <form
        onSubmit={form.onSubmit(({ name, models }) => save.mutate({ name, models: models.filter((model) => model.trim() !== '') }))}
      >
        <Stack>
          <TextInput label="Name" placeholder="smart" required data-autofocus {...form.getInputProps('name')} />
          {models.map((_, position) => (
            <Group key={position} gap={4} align="flex-end" wrap="nowrap">
              <TextInput
                style={{ flex: 1 }}
                label={position === 0 ? 'Models, in the order to try' : undefined}
                aria-label={`Model ${position + 1}`}
                placeholder="anthropic/claude-sonnet-4-5-20250929"
                {...form.getInputProps(`models.${position}`)}
              />
              <ActionIcon
                variant="subtle"
                disabled={position === 0}
                aria-label={`Move model ${position + 1} up`}
                onClick={() => form.reorderListItem('models', { from: position, to: position - 1 })}
              >
                <IconArrowUp size={16} />
              </ActionIcon>
              <ActionIcon
                variant="subtle"
                disabled={position === models.length - 1}
                aria-label={`Move model ${position + 1} down`}
                onClick={() => form.reorderListItem('models', { from: position, to: position + 1 })}
              >
                <IconArrowDown size={16} />
              </ActionIcon>
              <ActionIcon
                variant="subtle"
                color="red"
                disabled={models.length === 1}
                aria-label={`Remove model ${position + 1}`}
                onClick={() => form.removeListItem('models', position)}
              >
                <IconX size={16} />
              </ActionIcon>
            </Group>
          ))}
          <Button variant="light" leftSection={<IconPlus size={16} />} onClick={() => form.insertListItem('models', '')}>
            Another model
          </Button>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
