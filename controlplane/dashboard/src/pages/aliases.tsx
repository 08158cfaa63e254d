import { Button, Card, Code, Group, Space, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { confirmDelete } from '../parts/confirm';
import { DeleteButton } from '../parts/delete-button';
import { showApplied } from '../parts/failure';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { FallbackChains } from './aliases/chains';
import { NamesTable } from './aliases/names-table';

const wait = { wait: 'applied' } as const;

type Alias = { alias: string; model: string };

const set = (body: Alias) => settle(api.PUT('/api/models/alias', { params: { query: wait }, body }));

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
    mutationFn: set,
    onSuccess: ({ applied }, { alias }) => {
      showApplied(t('{alias} saved', { alias }), applied);
      form.reset();
    },
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: ({ alias }: Alias) => settle(api.DELETE('/api/models/alias', { params: { query: { alias, ...wait } } })),
    onSuccess: ({ applied }, removed) => {
      const { alias } = removed;
      showApplied(t('{alias} deleted', { alias }), applied, { act: () => set(removed), done: t('{name} is back', { name: alias }) });
    },
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
          <NamesTable
            of={t('Alias')}
            leads={t('Target')}
            rows={Object.entries(aliases).map(([alias, model]) => ({
              name: alias,
              target: <Code>{model}</Code>,
              actions: (
                <DeleteButton
                  what={alias}
                  onClick={() => confirmDelete(alias, t('Requests that name it are refused from now on.'), () => remove.mutate({ alias, model }))}
                />
              ),
            }))}
          />
        )}
      </Loaded>
      <Space h="lg" />
      <FallbackChains />
    </>
  );
}
