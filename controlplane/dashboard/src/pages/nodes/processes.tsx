import { Button, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconPower, IconReload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Dialog } from '../../parts/dialog';
import { Section } from '../../parts/section';

type DataPlane = components['schemas']['DataPlaneView'];
type Kind = 'restart' | 'shutdown';

type Props = { planes: DataPlane[]; single: boolean; onBegun: (operation: string) => void };

const DEFAULT_GRACE_SECONDS = 30;
const LONGEST_GRACE_SECONDS = 600;

const WORDS: Record<Kind, { asks: string; act: string; color: string; together: string; apart: string }> = {
  restart: {
    asks: t('Restart the gateway?'),
    act: t('Restart'),
    color: 'teal',
    together: t('The gateway is away for some seconds. This page goes on by itself.'),
    apart: t('Data planes restart one after another, so that somebody always serves, and this control plane last.'),
  },
  shutdown: {
    asks: t('Shut down the gateway?'),
    act: t('Shut down'),
    color: 'red',
    together: t('Running requests are finished, then everything stops, this dashboard included. It can only be started again where it runs.'),
    apart: t('Running requests are finished, then what you choose stops. It can only be started again where it runs.'),
  },
};

/** Restarting and stopping processes. */
export function Processes({ planes, single, onBegun }: Props) {
  const [kind, setKind] = useState<Kind | null>(null);
  return (
    <Section
      title={t('Processes')}
      hint={single ? t('The gateway, which is one process.') : t('All data planes and this control plane, or one of them.')}
    >
      <Group gap="xs">
        <Button variant="default" leftSection={<IconReload size={16} />} onClick={() => setKind('restart')}>
          {t('Restart')}
        </Button>
        <Button color="red" variant="light" leftSection={<IconPower size={16} />} onClick={() => setKind('shutdown')}>
          {t('Shut down')}
        </Button>
      </Group>
      {kind && <Ending key={kind} kind={kind} planes={planes} single={single} onBegun={onBegun} onClose={() => setKind(null)} />}
    </Section>
  );
}

function Ending({ kind, planes, single, onBegun, onClose }: Props & { kind: Kind; onClose: () => void }) {
  const { asks, act, color, together, apart } = WORDS[kind];
  const form = useForm({ initialValues: { target: 'all', seconds: DEFAULT_GRACE_SECONDS as number | string } });
  const begin = useMutation({
    mutationFn: ({ target, seconds }: typeof form.values) => {
      const body = { target, drainTimeoutMs: Number(seconds) * 1_000 };
      return unwrap(kind === 'restart' ? api.POST('/api/restart', { body }) : api.POST('/api/shutdown', { body }));
    },
    onSuccess: ({ operationId }) => onBegun(operationId),
    onSettled: onClose,
  });
  const targets = [
    { value: 'all', label: t('Everything') },
    { value: 'data-planes', label: t('All data planes') },
    { value: 'control-plane', label: t('This control plane') },
    ...planes.filter((plane) => plane.connected).map(({ id }) => ({ value: id, label: id })),
  ];
  return (
    <Dialog onClose={onClose} title={asks}>
      <form onSubmit={form.onSubmit((values) => begin.mutate(values))}>
        <Stack>
          <Text size="sm">{single ? together : apart}</Text>
          {!single && <Select label={t('What')} data={targets} allowDeselect={false} {...form.getInputProps('target')} />}
          <NumberInput
            label={t('Time for running requests, seconds')}
            description={t('Those that take longer are broken off.')}
            min={0}
            max={LONGEST_GRACE_SECONDS}
            allowDecimal={false}
            clampBehavior="strict"
            required
            {...form.getInputProps('seconds')}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              {t('Leave it running')}
            </Button>
            <Button type="submit" color={color} loading={begin.isPending}>
              {act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}
