import { Badge, Button, Code, Group, Table, Text, VisuallyHidden } from '@mantine/core';
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

/** Who is asked for a model that a client names without a provider. */
export function FallbackChains() {
  const client = useQueryClient();
  const name = useProviderName();
  const [edited, edit] = useState<Chain | null>(null);
  const query = useQuery({ queryKey: ['fallback-chains'], queryFn: () => unwrap(api.GET('/api/fallback/chains')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['fallback-chains'] });
  const remove = useMutation({
    mutationFn: (model: string) => settle(api.DELETE('/api/fallback/chains', { params: { query: { model, wait: 'applied' } } })),
    onSuccess: ({ applied }, model) => showApplied(t('{name} deleted', { name: model }), applied),
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
          <Table.ScrollContainer minWidth={520}>
            <Table verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('Model')}</Table.Th>
                  <Table.Th>{t('Asked in this order')}</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {Object.entries(chains).map(([model, chain]) => (
                  <Table.Tr key={model}>
                    <Table.Td>
                      <Code>{model}</Code>
                    </Table.Td>
                    <Table.Td>
                      <Group gap={4}>
                        {chain.map(({ provider, enabled }) => (
                          <Badge key={provider} variant={enabled ? 'light' : 'default'} tt="none">
                            {enabled ? name(provider) : t('{name}: left out', { name: name(provider) })}
                          </Badge>
                        ))}
                      </Group>
                    </Table.Td>
                    <Table.Td>
                      <Group gap="xs" justify="flex-end" wrap="nowrap">
                        <Button size="compact-sm" variant="default" onClick={() => edit({ model, chain })} aria-label={t('Edit {name}', { name: model })}>
                          {t('Edit')}
                        </Button>
                        <DeleteButton
                          what={model}
                          onClick={() =>
                            confirmDelete(model, t('Requests that name it go to the provider it is known from, or are refused.'), () => remove.mutate(model))
                          }
                        />
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Loaded>
      <Text size="xs" c="dimmed" mt="sm">
        {t('Patterns of names, such as gpt-*, are in the settings, under Routing.')}
      </Text>
      {edited && <ChainDialog chain={edited} onClose={() => edit(null)} onSaved={refresh} />}
    </Section>
  );
}
