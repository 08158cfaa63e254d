import { Badge, Button, Group, Text } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import { confirmDelete } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { showApplied } from '../../parts/failure';
import { useProviderName } from '../../parts/names';
import { Section } from '../../parts/section';
import { Empty, Loaded } from '../../parts/states';
import { ChainDialog, type Chain } from './chain-dialog';
import { NamesTable } from './names-table';

const wait = { wait: 'applied' } as const;

/** Who is asked for a model that a client names without a provider. */
export function FallbackChains() {
  const client = useQueryClient();
  const name = useProviderName();
  const [edited, edit] = useState<Chain | null>(null);
  const query = useQuery({ queryKey: ['fallback-chains'], queryFn: () => unwrap(api.GET('/api/fallback/chains')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['fallback-chains'] });
  const remove = useMutation({
    mutationFn: ({ model }: Chain) => settle(api.DELETE('/api/fallback/chains', { params: { query: { model, ...wait } } })),
    onSuccess: ({ applied }, removed) =>
      showApplied(t('{name} deleted', { name: removed.model }), applied, {
        act: () => settle(api.PUT('/api/fallback/chains', { params: { query: wait }, body: removed })),
        done: t('{name} is back', { name: removed.model }),
      }),
    onSettled: refresh,
  });
  return (
    <Section
      title={t('Fallback chains')}
      hint={t('For a model that is named without a provider: who is asked for it, one after the other.')}
      action={
        <Button size="xs" variant="default" leftSection={<IconPlus size={14} />} onClick={() => edit({ model: '', chain: [] })}>
          {t('New chain')}
        </Button>
      }
    >
      <Loaded
        query={query}
        empty={({ chains }) =>
          Object.keys(chains).length === 0 && (
            <Empty title={t('No chain yet')} hint={t('Without one, such a model goes to the provider it is known from.')} />
          )
        }
      >
        {({ chains }) => (
          <NamesTable
            of={t('Model')}
            leads={t('Asked in this order')}
            rows={Object.entries(chains).map(([model, chain]) => ({
              name: model,
              target: (
                <Group gap={4}>
                  {chain.map(({ provider, enabled }) => (
                    <Badge key={provider} variant={enabled ? 'light' : 'default'} tt="none">
                      {enabled ? name(provider) : t('{name}: left out', { name: name(provider) })}
                    </Badge>
                  ))}
                </Group>
              ),
              actions: (
                <Group gap="xs" justify="flex-end" wrap="nowrap">
                  <Button size="compact-sm" variant="default" onClick={() => edit({ model, chain })} aria-label={t('Edit {name}', { name: model })}>
                    {t('Edit')}
                  </Button>
                  <DeleteButton
                    what={model}
                    onClick={() =>
                      confirmDelete(model, t('Requests that name it go to the provider it is known from, or are refused.'), () =>
                        remove.mutate({ model, chain }),
                      )
                    }
                  />
                </Group>
              ),
            }))}
          />
        )}
      </Loaded>
      <Text size="xs" c="dimmed" mt="sm">
        {t('Patterns of names, such as gpt-*, are in the settings, under Routing.')}
      </Text>
      {edited && <ChainDialog chain={edited} onClose={() => edit(null)} onSaved={refresh} />}
    </Section>
  );
}
