import { Button, Group, Stack, Table, Text, TextInput } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import { confirmAct } from '../../parts/confirm';
import { Dialog } from '../../parts/dialog';
import { showFailure } from '../../parts/failure';
import { amount, dollars } from '../../parts/numbers';

/** Shows what today's prices would have changed of what was billed, then books it. */
export function PriceAnew() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="default" onClick={() => setOpen(true)}>
        {t('Price the past anew')}
      </Button>
      {open && <Anew onClose={() => setOpen(false)} />}
    </>
  );
}

function Anew({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { from: '', to: '' },
    validate: { from: isNotEmpty(t('Say from when')), to: isNotEmpty(t('Say until when')) },
  });
  const ask = ({ from, to }: typeof form.values, dryRun: boolean) =>
    unwrap(api.POST('/api/pricing/reprice', { body: { from: new Date(from).toISOString(), to: new Date(to).toISOString(), dryRun } }));
  const preview = useMutation({ mutationFn: (values: typeof form.values) => ask(values, true), onError: showFailure });
  const book = useMutation({
    mutationFn: (values: typeof form.values) => ask(values, false),
    onSuccess: ({ changed, delta }) => {
      notifications.show({
        color: 'teal',
        title: t('Booked'),
        message: t('{delta} for {changed} requests, beside what was billed', { delta: signed(delta), changed: amount(changed) }),
      });
      onClose();
      return client.invalidateQueries({ queryKey: ['usage'] });
    },
    onError: showFailure,
  });
  const found = preview.data;
  const confirm = () =>
    confirmAct({
      title: t('Book the difference?'),
      consequence: t('Sums show it beside what was billed, which stays as it is. Budgets go on counting what was billed.'),
      confirm: t('Book it'),
      cancel: t('Not now'),
      onConfirm: () => book.mutate(form.values),
    });
  return (
    <Dialog onClose={onClose} title={t('Price the past anew')} size="lg">
      <form onSubmit={form.onSubmit((values) => preview.mutate(values))}>
        <Stack>
          <Text size="sm">{t('What requests that are still in the log would cost by the prices known now, each at its own time.')}</Text>
          <Group grow>
            <TextInput label={t('From')} type="datetime-local" {...form.getInputProps('from')} />
            <TextInput label={t('Before')} type="datetime-local" {...form.getInputProps('to')} />
          </Group>
          <Button type="submit" variant="default" loading={preview.isPending}>
            {t('Show what would change')}
          </Button>
          {found && (
            <>
              <Text size="sm" aria-live="polite">
                {found.changed === 0
                  ? t('Nothing would change: {requests} requests cost what they were billed.', { requests: amount(found.requests) })
                  : t('{changed} of {requests} requests would cost {delta}; billed were {billed}.', {
                      changed: amount(found.changed),
                      requests: amount(found.requests),
                      delta: signed(found.delta),
                      billed: dollars(found.billed),
                    })}
              </Text>
              {found.models.length > 0 && (
                <Table>
                  <Table.Tbody>
                    {found.models.map((row) => (
                      <Table.Tr key={`${row.provider}/${row.model}`}>
                        <Table.Td>{`${row.provider}/${row.model}`}</Table.Td>
                        <Table.Td ta="right">{amount(row.changed)}</Table.Td>
                        <Table.Td ta="right">{signed(row.delta)}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              )}
              <Button disabled={found.changed === 0} loading={book.isPending} onClick={confirm}>
                {t('Book the difference')}
              </Button>
            </>
          )}
        </Stack>
      </form>
    </Dialog>
  );
}

const signed = (usd: number) => `${usd < 0 ? '−' : '+'}${dollars(Math.abs(usd))}`;
