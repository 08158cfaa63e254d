import { ActionIcon, Button, Code, Group, NumberInput, Select, Stack, Table, Text, TextInput, Title, VisuallyHidden } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { IconCalendarPlus, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Needs } from '../../parts/authority';
import { confirmDelete } from '../../parts/confirm';
import { Dialog } from '../../parts/dialog';
import { showApplied, showFailure } from '../../parts/failure';
import { dollars, when } from '../../parts/numbers';
import { Empty, Loaded } from '../../parts/states';
import { PriceAnew } from './price-anew';

type Period = components['schemas']['PricePeriod'];

const wait = { wait: 'applied' } as const;
const path = '/api/pricing/periods';

/** Prices that begin at some moment, and what other prices would have changed of what was spent. */
export function Periods() {
  const client = useQueryClient();
  const [adding, setAdding] = useState(false);
  const query = useQuery({ queryKey: ['pricing', 'periods'], queryFn: () => unwrap(api.GET(path)) });
  const remove = useMutation({
    mutationFn: ({ provider, model, effectiveFrom }: Period) =>
      settle(api.DELETE(path, { params: { query: { provider, model, effectiveFrom, ...wait } } })),
    onSuccess: ({ applied }, period) =>
      showApplied(t('Price change taken back'), applied, {
        act: () => settle(api.PUT(path, { params: { query: wait }, body: period })),
        done: t('Price change of {provider}/{model} is back', { provider: period.provider, model: period.model }),
      }),
    onError: showFailure,
    onSettled: () => client.invalidateQueries({ queryKey: ['pricing'] }),
  });
  return (
    <section aria-label={t('Price changes')}>
      <Title order={2} size="h4">
        {t('Price changes')}
      </Title>
      <Text size="sm" c="dimmed" mb="md">
        {t('Prices that begin at a moment, in the past or to come. Each request costs what its model cost when it began.')}
      </Text>
      <Needs role="operator">
        <Group mb="sm">
          <PriceAnew />
          <Button ml="auto" variant="default" leftSection={<IconCalendarPlus size={16} />} onClick={() => setAdding(true)}>
            {t('Add a price change')}
          </Button>
        </Group>
        <Loaded query={query}>
          {({ periods }) =>
            periods.length === 0 ? (
              <Empty title={t('No price changes')} hint={t('Prices above count at all times.')} />
            ) : (
              <Table.ScrollContainer minWidth={600}>
                <Table verticalSpacing="xs">
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('Model')}</Table.Th>
                      <Table.Th>{t('From')}</Table.Th>
                      <Table.Th ta="right">{t('In')}</Table.Th>
                      <Table.Th ta="right">{t('Out')}</Table.Th>
                      <Table.Th>
                        <VisuallyHidden>{t('Actions')}</VisuallyHidden>
                      </Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {periods.map((period) => (
                      <Table.Tr key={`${period.provider}/${period.model}@${period.effectiveFrom}`}>
                        <Table.Td>
                          <Code>{`${period.provider}/${period.model}`}</Code>
                        </Table.Td>
                        <Table.Td>{when(period.effectiveFrom)}</Table.Td>
                        <Table.Td ta="right">{said(period.input)}</Table.Td>
                        <Table.Td ta="right">{said(period.output)}</Table.Td>
                        <Table.Td ta="right">
                          <ActionIcon
                            variant="subtle"
                            color="red"
                            aria-label={t('Take back the price change of {provider}/{model}', { provider: period.provider, model: period.model })}
                            onClick={() =>
                              confirmDelete(t('this price change'), t('The price before it goes on. What was spent stays.'), () =>
                                remove.mutate(period),
                              )
                            }
                          >
                            <IconTrash size={16} />
                          </ActionIcon>
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
            )
          }
        </Loaded>
      </Needs>
      {adding && <PeriodDialog onClose={() => setAdding(false)} />}
    </section>
  );
}

const said = (usd: number | null | undefined) => (usd == null ? t('as listed') : dollars(usd));

function PeriodDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const known = useQuery({ queryKey: ['pricing', 'models'], queryFn: () => unwrap(api.GET('/api/pricing/models')) });
  const form = useForm({
    initialValues: { provider: '', model: '', from: '', input: '' as number | string, output: '' as number | string },
    validate: {
      provider: isNotEmpty(t('Choose whose model it is')),
      model: isNotEmpty(t('Write the model')),
      from: isNotEmpty(t('Say when it begins')),
    },
  });
  const save = useMutation({
    mutationFn: ({ provider, model, from, input, output }: typeof form.values) =>
      settle(
        api.PUT(path, {
          params: { query: wait },
          body: {
            provider,
            model: model.trim(),
            effectiveFrom: new Date(from).toISOString(),
            ...(input !== '' && { input: Number(input) }),
            ...(output !== '' && { output: Number(output) }),
          },
        }),
      ),
    onSuccess: ({ applied }, { provider, model }) => {
      showApplied(t('Price change of {provider}/{model} saved', { provider, model }), applied);
      onClose();
      return client.invalidateQueries({ queryKey: ['pricing'] });
    },
    onError: showFailure,
  });
  return (
    <Dialog onClose={onClose} title={t('Add a price change')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <Select
            label={t('Provider')}
            searchable
            data={Object.values(known.data ?? {}).map(({ alias, name }) => ({ value: alias, label: name }))}
            {...form.getInputProps('provider')}
          />
          <TextInput label={t('Model')} description={t('Without the provider before it.')} {...form.getInputProps('model')} />
          <TextInput label={t('From')} type="datetime-local" {...form.getInputProps('from')} />
          <NumberInput label={t('In, USD per million')} placeholder={t('as in the list')} min={0} decimalScale={9} {...form.getInputProps('input')} />
          <NumberInput
            label={t('Out, USD per million')}
            placeholder={t('as in the list')}
            min={0}
            decimalScale={9}
            {...form.getInputProps('output')}
          />
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
