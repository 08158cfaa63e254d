import { Button, Card, Code, Group, Space, Table, TextInput, VisuallyHidden } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { showApplied } from '../parts/failure';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { FallbackChains } from './aliases/chains';

const wait = { wait: 'applied' } as const;

/** All of them, which is what a question without a name is answered with. */
async function listAliases() {
  const answer = await unwrap(api.GET('/api/models/alias'));
  return { aliases: 'aliases' in answer ? answer.aliases : {} };
}

export function AliasesPage() {
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['aliases'], queryFn: listAliases });
  const refresh = () => client.invalidateQueries({ queryKey: ['aliases'] });
  const form = useForm({ initialValues: { alias: '', model: '' } });

  const save = useMutation({
    mutationFn: (body: { alias: string; model: string }) => settle(api.PUT('/api/models/alias', { params: { query: wait }, body })),
    onSuccess: ({ applied }, { alias }) => {
      showApplied(t('{alias} saved', { alias }), applied);
      form.reset();
    },
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: (alias: string) => settle(api.DELETE('/api/models/alias', { params: { query: { alias, ...wait } } })),
    onSuccess: ({ applied }, alias) => showApplied(t('{alias} deleted', { alias }), applied),
    onSettled: refresh,
  });

  return (
    <>
      <PageHeader title={t('Aliases')} hint={t('Short names for models: clients write the alias, the gateway sends the target.')} />
      <Card withBorder mb="lg">
        <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
          <Group align="flex-end">
            <TextInput label={t('Alias')} placeholder={t('fast')} required flex="0 1 200px" {...form.getInputProps('alias')} />
            <TextInput label={t('Target')} placeholder={t('openai/gpt-4o-mini')} required flex="1 1 260px" {...form.getInputProps('model')} />
            <Button type="submit" loading={save.isPending}>
              {t('Save')}
            </Button>
          </Group>
        </form>
      </Card>
      <Loaded
        query={query}
        empty={({ aliases }) =>
          Object.keys(aliases).length === 0 && <Empty title={t('No alias yet')} hint={t('Give a model a name of your own above.')} />
        }
      >
        {({ aliases }) => (
          <Table verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Alias')}</Table.Th>
                <Table.Th>{t('Target')}</Table.Th>
                <Table.Th>
                  <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {Object.entries(aliases).map(([alias, target]) => (
                <Table.Tr key={alias}>
                  <Table.Td>
                    <Code>{alias}</Code>
                  </Table.Td>
                  <Table.Td>
                    <Code>{target}</Code>
                  </Table.Td>
                  <Table.Td ta="right">
                    <DeleteButton what={alias} onClick={() => confirmDelete(alias, t('Requests that name it are refused from now on.'), () => remove.mutate(alias))} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Loaded>
      <Space h="lg" />
      <FallbackChains />
    </>
  );
}
