import { Button, Code, Group, NumberInput, Select, Stack, Table, Text, TextInput, Title, VisuallyHidden } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import { confirmDelete } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { Dialog } from '../../parts/dialog';
import { showApplied } from '../../parts/failure';
import { amount } from '../../parts/numbers';
import { Empty, Loaded } from '../../parts/states';
import type { Provider } from './groups';
import { ImportModels } from './import-models';
import { type CustomModel, MODEL_TYPES } from './model-types';

const wait = { wait: 'applied' } as const;

async function listOf(provider: string): Promise<CustomModel[]> {
  const { models } = await unwrap(api.GET('/api/provider-models', { params: { query: { provider } } }));
  return Array.isArray(models) ? models : [];
}

type Props = {
  provider: Provider;
  /** Ids of the models that the catalogue knows, as clients write them. */
  known: string[];
  onClose: () => void;
};

/** Models that a provider has beside those known beforehand: written down by hand, or imported from it. */
export function Models({ provider, known, onClose }: Props) {
  const client = useQueryClient();
  const { id, name } = provider;
  const query = useQuery({ queryKey: ['provider-models', id], queryFn: () => listOf(id) });
  // what can be called changed, which many pages offer
  const refresh = () => client.invalidateQueries();
  const remove = useMutation({
    mutationFn: ({ id: model }: CustomModel) => settle(api.DELETE('/api/provider-models', { params: { query: { provider: id, model, ...wait } } })),
    onSuccess: ({ applied }, { id: modelId, name: modelName, type, source, contextWindow }) => {
      const body = { provider: id, modelId, modelName, type, source, ...(contextWindow != null && { contextWindow }) };
      showApplied(t('{name} deleted', { name: modelId }), applied, {
        act: () => settle(api.POST('/api/provider-models', { params: { query: wait }, body })),
        done: t('{name} is back', { name: modelId }),
      });
    },
    onSettled: refresh,
  });
  return (
    <Dialog onClose={onClose} title={t('Models of {name}', { name })} size="xl">
      <Stack>
        <Text size="sm" c="dimmed">
          {t('Known beforehand or listed here: {count}. Any other can be called as well, and is passed on as it is written.', { count: amount(known.length) })}
        </Text>
        <Loaded
          query={query}
          empty={(models) =>
            models.length === 0 && <Empty title={t('No model of your own yet')} hint={t('Write one down, or take over what the provider lists.')} />
          }
        >
          {(models) => (
            <Table.ScrollContainer minWidth={520}>
              <Table verticalSpacing="xs" aria-label={t('Models that were added')}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('Model')}</Table.Th>
                    <Table.Th>{t('For')}</Table.Th>
                    <Table.Th>{t('Came from')}</Table.Th>
                    <Table.Th ta="right">{t('Context')}</Table.Th>
                    <Table.Th>
                      <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {models.map((model) => (
                    <Table.Tr key={model.id}>
                      <Table.Td>
                        <Code>{model.id}</Code>
                        {model.name !== model.id && <Text size="xs">{model.name}</Text>}
                      </Table.Td>
                      <Table.Td>{model.type}</Table.Td>
                      <Table.Td>{model.source === 'imported' ? t('the provider') : t('somebody here')}</Table.Td>
                      <Table.Td ta="right">{model.contextWindow == null ? '–' : amount(model.contextWindow)}</Table.Td>
                      <Table.Td ta="right">
                        <DeleteButton
                          what={model.id}
                          onClick={() =>
                            confirmDelete(model.id, t('It is no longer listed. Requests that name it are still passed on.'), () => remove.mutate(model))
                          }
                        />
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )}
        </Loaded>
        <AddModel provider={id} onSaved={refresh} />
        <ImportModels provider={provider} own={query.data ?? []} known={known} onImported={refresh} />
      </Stack>
    </Dialog>
  );
}

function AddModel({ provider, onSaved }: { provider: string; onSaved: () => void }) {
  const form = useForm({
    initialValues: { modelId: '', modelName: '', type: 'chat', contextWindow: '' as number | string },
    validate: { modelId: isNotEmpty(t('The id that the provider knows it by')) },
  });
  const save = useMutation({
    mutationFn: ({ modelId, modelName, type, contextWindow }: typeof form.values) =>
      settle(
        api.POST('/api/provider-models', {
          params: { query: wait },
          body: {
            provider,
            modelId: modelId.trim(),
            type,
            ...(modelName.trim() && { modelName: modelName.trim() }),
            ...(contextWindow !== '' && { contextWindow: Number(contextWindow) }),
          },
        }),
      ),
    onSuccess: ({ data, applied }) => {
      showApplied(t('{name} saved', { name: data.model.id }), applied);
      form.reset();
    },
    onSettled: onSaved,
  });
  return (
    <form aria-label={t('Add a model')} onSubmit={form.onSubmit((values) => save.mutate(values))}>
      <Title order={3} size="h5">
        {t('Add a model')}
      </Title>
      <Group align="flex-start" gap="sm">
        <TextInput label={t('Id')} placeholder={t('as the provider writes it')} {...form.getInputProps('modelId')} />
        <TextInput label={t('Name')} placeholder={t('optional')} {...form.getInputProps('modelName')} />
        <Select label={t('For')} data={MODEL_TYPES} allowDeselect={false} w={180} {...form.getInputProps('type')} />
        <NumberInput label={t('Context, tokens')} placeholder={t('optional')} min={1} allowDecimal={false} w={150} {...form.getInputProps('contextWindow')} />
      </Group>
      <Button type="submit" variant="light" mt="sm" loading={save.isPending}>
        {t('Add')}
      </Button>
    </form>
  );
}
