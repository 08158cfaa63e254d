import { Alert, Badge, Button, Code, Select, Stack, Table, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Dialog } from '../../parts/dialog';
import { FailureText } from '../../parts/failure';
import { useProviderName } from '../../parts/names';
import { amount, milliseconds } from '../../parts/numbers';
import type { Provider } from './groups';

type Batch = components['schemas']['BatchView'];

const KINDS = [
  { value: 'all', label: t('all of them') },
  { value: 'oauth', label: t('accounts that are signed in to') },
  { value: 'apikey', label: t('providers with a key') },
  { value: 'compatible', label: t('endpoints of your own') },
];

/** Asks every enabled connection of a kind at once whether it works. `first` is what is chosen when it opens. */
export function TestBatch({ providers, first, onClose, onTested }: { providers: Provider[]; first: string; onClose: () => void; onTested: () => void }) {
  const [chosen, choose] = useState(first);
  const test = useMutation({
    mutationFn: () => {
      const isKind = KINDS.some(({ value }) => value === chosen);
      return unwrap(api.POST('/api/providers/test-batch', { body: isKind ? { mode: chosen } : { mode: 'provider', providerId: chosen } }));
    },
    // shown where it happened
    onError: () => undefined,
    onSettled: onTested,
  });
  const options = [
    { group: t('Kinds'), items: KINDS },
    {
      group: t('Providers'),
      items: providers.filter(({ connections }) => connections.length > 0).map(({ id, name }) => ({ value: id, label: name })),
    },
  ];
  return (
    <Dialog onClose={onClose} title={t('Test connections')} size="lg">
      <Stack>
        <Select
          label={t('Which')}
          description={t('Those that are enabled. Each is asked for its models, which costs nothing.')}
          data={options}
          allowDeselect={false}
          value={chosen}
          onChange={(next) => {
            if (!next) return;
            choose(next);
            test.reset();
          }}
        />
        <Button onClick={() => test.mutate()} loading={test.isPending} w="fit-content">
          {test.data ? t('Test again') : t('Test')}
        </Button>
        {test.isError && (
          <Alert color="red" title={t('That did not work')}>
            <FailureText error={test.error} />
          </Alert>
        )}
        {test.data && <Results batch={test.data} />}
      </Stack>
    </Dialog>
  );
}

function Results({ batch: { summary, results } }: { batch: Batch }) {
  const name = useProviderName();
  if (summary.total === 0) return <Text role="status">{t('None of them is enabled: nothing was tested.')}</Text>;
  return (
    <>
      <Text role="status">{t('{passed} of {total} work.', { passed: amount(summary.passed), total: amount(summary.total) })}</Text>
      <Table.ScrollContainer minWidth={480}>
        <Table verticalSpacing="xs" aria-label={t('Results')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('Connection')}</Table.Th>
              <Table.Th>{t('Result')}</Table.Th>
              <Table.Th ta="right">{t('Took')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {/* what needs somebody comes first */}
            {results
              .toSorted((one, other) => Number(one.valid) - Number(other.valid))
              .map(({ connectionId, connectionName, provider, valid, diagnosis, statusCode, latencyMs }) => (
                <Table.Tr key={connectionId}>
                  <Table.Td>
                    <Text size="sm">{connectionName ?? connectionId}</Text>
                    <Code>{name(provider)}</Code>
                  </Table.Td>
                  <Table.Td>
                    <Badge variant="light" color={valid ? 'teal' : 'red'} tt="none">
                      {valid ? t('works') : t('does not work')}
                    </Badge>
                    {!valid && (
                      <>
                        <Text size="sm">{diagnosis.message}</Text>
                        <Text size="xs" c="dimmed">
                          {[diagnosis.type, statusCode ? `HTTP ${statusCode}` : null].filter(Boolean).join(' · ')}
                        </Text>
                      </>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">{milliseconds(latencyMs)}</Table.Td>
                </Table.Tr>
              ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}
