import { Alert, Button, Checkbox, Group, Progress, ScrollArea, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { FailureText, showApplied } from '../../parts/failure';
import { amount } from '../../parts/numbers';
import type { Provider } from './groups';
import { type CustomModel, MODEL_TYPES } from './model-types';

type Offered = components['schemas']['Model'];

type Props = { provider: Provider; own: CustomModel[]; known: string[]; onImported: () => void };

/** What a connection's provider says it has, and taking over what one wants to see listed. */
export function ImportModels({ provider, own, known, onImported }: Props) {
  const active = provider.connections.filter(({ isActive }) => isActive);
  const [connection, choose] = useState(active[0]?.id ?? null);
  const ask = useMutation({
    mutationFn: (id: string) => unwrap(api.GET('/api/providers/{id}/models', { params: { path: { id } } })),
    // shown where it happened
    onError: () => undefined,
  });
  const isListed = ({ id }: Offered) => own.some((model) => model.id === id) || known.includes(`${provider.prefix}/${id}`);
  return (
    <section aria-label={t('Import')}>
      <Title order={3} size="h5">
        {t('Import from the provider')}
      </Title>
      {active.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t('Asking it takes an enabled connection.')}
        </Text>
      ) : (
        <Stack gap="sm">
          <Group align="flex-end">
            {active.length > 1 && (
              <Select
                label={t('With')}
                data={active.map(({ id, name, email }) => ({ value: id, label: name ?? email ?? id }))}
                allowDeselect={false}
                value={connection}
                onChange={choose}
              />
            )}
            <Button variant="light" loading={ask.isPending} onClick={() => connection && ask.mutate(connection)}>
              {t('Ask what it has')}
            </Button>
          </Group>
          {ask.isError && (
            <Alert color="red" title={t('That did not work')}>
              <FailureText error={ask.error} />
            </Alert>
          )}
          {ask.data && <Choice provider={provider.id} offered={ask.data.models} isListed={isListed} onImported={onImported} />}
        </Stack>
      )}
    </section>
  );
}

type ChoiceProps = { provider: string; offered: Offered[]; isListed: (model: Offered) => boolean; onImported: () => void };

function Choice({ provider, offered, isListed, onImported }: ChoiceProps) {
  const [search, setSearch] = useState('');
  const [chosen, setChosen] = useState<string[]>([]);
  const [done, setDone] = useState(0);
  const added = offered.filter((model) => !isListed(model));
  const found = added.filter(({ id, name }) => `${id} ${name}`.toLowerCase().includes(search.trim().toLowerCase()));
  const take = useMutation({
    mutationFn: async (models: Offered[]) => {
      let applied: string | null = null;
      for (const [at, { id, name, type, contextWindow }] of models.entries()) {
        setDone(at);
        const query = at === models.length - 1 ? ({ wait: 'applied' } as const) : {};
        const body = {
          provider,
          modelId: id,
          modelName: name,
          source: 'imported',
          // a kind that this gateway has no word for is most likely one to talk to
          type: type && MODEL_TYPES.includes(type) ? type : 'chat',
          ...(contextWindow != null && { contextWindow }),
        };
        ({ applied } = await settle(api.POST('/api/provider-models', { params: { query }, body })));
      }
      return { applied };
    },
    onSuccess: ({ applied }, models) => {
      showApplied(t('Models imported: {count}', { count: models.length }), applied);
      setChosen([]);
    },
    onSettled: onImported,
  });
  if (added.length === 0)
    return <Text role="status">{t('It lists {count} models, and all of them are here.', { count: amount(offered.length) })}</Text>;
  const selected = added.filter(({ id }) => chosen.includes(id));
  return (
    <Stack gap="sm">
      <Text size="sm" role="status">
        {t('It lists {count} models; {fresh} of them are not here yet.', { count: amount(offered.length), fresh: amount(added.length) })}
      </Text>
      <TextInput aria-label={t('Search')} placeholder={t('Search')} value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
      <Checkbox
        label={t('All that are shown')}
        checked={found.length > 0 && found.every(({ id }) => chosen.includes(id))}
        onChange={(event) => setChosen(event.currentTarget.checked ? [...new Set([...chosen, ...found.map(({ id }) => id)])] : [])}
      />
      <ScrollArea.Autosize mah={240} viewportProps={{ tabIndex: 0 }}>
        <Stack gap={6}>
          {found.map(({ id, name }) => (
            <Checkbox
              key={id}
              label={name === id ? id : `${id} (${name})`}
              checked={chosen.includes(id)}
              onChange={(event) => setChosen(event.currentTarget.checked ? [...chosen, id] : chosen.filter((other) => other !== id))}
            />
          ))}
        </Stack>
      </ScrollArea.Autosize>
      {take.isPending && (
        <Progress
          value={(100 * done) / (take.variables?.length ?? 1)}
          aria-label={t('{done} of {all} are imported', { done, all: take.variables?.length ?? 0 })}
        />
      )}
      <Button w="fit-content" loading={take.isPending} disabled={selected.length === 0} onClick={() => take.mutate(selected)}>
        {t('Import {count}', { count: selected.length })}
      </Button>
    </Stack>
  );
}
