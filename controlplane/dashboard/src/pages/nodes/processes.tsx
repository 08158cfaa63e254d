import { Button, Group, Modal, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconPower, IconReload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Section } from '../../parts/section';

type DataPlane = components['schemas']['DataPlaneView'];
type Kind = 'restart' | 'shutdown';

type Props = { planes: DataPlane[]; single: boolean; onBegun: (operation: string) => void };

const DEFAULT_GRACE_SECONDS = 30;
const LONGEST_GRACE_SECONDS = 600;

const WORDS: Record<Kind, { title: string; act: string; color: string; together: string; apart: string }> = {
  restart: {
    title: 'Restart',
    act: 'Restart',
    color: 'teal',
    together: 'The gateway is away for some seconds. This page goes on by itself.',
    apart: 'Data planes restart one after another, so that somebody always serves, and this control plane last.',
  },
  shutdown: {
    title: 'Shut down',
    act: 'Shut down',
    color: 'red',
    together: 'Running requests are finished, then everything stops, this dashboard included. It can only be started again where it runs.',
    apart: 'Running requests are finished, then what you choose stops. It can only be started again where it runs.',
  },
};

/** Restarting and stopping processes. */
export function Processes({ planes, single, onBegun }: Props) {
  const [kind, setKind] = useState<Kind | null>(null);
  return (
    <Section title="Processes" hint={single ? 'The gateway, which is one process.' : 'All data planes and this control plane, or one of them.'}>
      <Group gap="xs">
        <Button variant="default" leftSection={<IconReload size={16} />} onClick={() => setKind('restart')}>
          Restart
        </Button>
        <Button color="red" variant="light" leftSection={<IconPower size={16} />} onClick={() => setKind('shutdown')}>
          Shut down
        </Button>
      </Group>
      {kind && <Ending key={kind} kind={kind} planes={planes} single={single} onBegun={onBegun} onClose={() => setKind(null)} />}
    </Section>
  );
}

function Ending({ kind, planes, single, onBegun, onClose }: Props & { kind: Kind; onClose: () => void }) {
  const { title, act, color, together, apart } = WORDS[kind];
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
    { value: 'all', label: 'Everything' },
    { value: 'data-planes', label: 'All data planes' },
    { value: 'control-plane', label: 'This control plane' },
    ...planes.filter((plane) => plane.connected).map(({ id }) => ({ value: id, label: id })),
  ];
  return (
    <Modal opened onClose={onClose} title={`${title} the gateway?`}>
      <form onSubmit={form.onSubmit((values) => begin.mutate(values))}>
        <Stack>
          <Text size="sm">{single ? together : apart}</Text>
          {!single && <Select label="What" data={targets} allowDeselect={false} {...form.getInputProps('target')} />}
          <NumberInput
            label="Time for running requests, seconds"
            description="Those that take longer are broken off."
            min={0}
            max={LONGEST_GRACE_SECONDS}
            allowDecimal={false}
            clampBehavior="strict"
            required
            {...form.getInputProps('seconds')}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              Leave it running
            </Button>
            <Button type="submit" color={color} loading={begin.isPending}>
              {act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
