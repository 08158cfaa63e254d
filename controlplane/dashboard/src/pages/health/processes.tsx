import { Button, Group } from '@mantine/core';
import { IconPower, IconReload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { confirmAct } from '../../parts/confirm';
import { Section } from '../../parts/section';

/** Restarting and stopping the whole installation. */
export function Processes({ onBegun }: { onBegun: (operation: string) => void }) {
  const begun = { onSuccess: ({ operationId }: { operationId: string }) => onBegun(operationId) };
  const restart = useMutation({ mutationFn: () => unwrap(api.POST('/api/restart', { body: {} })), ...begun });
  const shutdown = useMutation({ mutationFn: () => unwrap(api.POST('/api/shutdown', { body: {} })), ...begun });
  const confirmRestart = () =>
    confirmAct({
      title: 'Restart the gateway?',
      consequence: 'Data planes restart one after another, so that somebody always serves, and this control plane last. A gateway that is one process is away for some seconds.',
      confirm: 'Restart',
      cancel: 'Leave it running',
      onConfirm: () => restart.mutate(),
    });
  const confirmShutdown = () =>
    confirmAct({
      title: 'Shut the gateway down?',
      consequence: 'Running requests are finished, then everything stops, this dashboard included. It can only be started again where it runs.',
      confirm: 'Shut down',
      cancel: 'Leave it running',
      onConfirm: () => shutdown.mutate(),
    });
  return (
    <Section title="Processes" hint="All data planes and this control plane. Running requests get 30 seconds to finish.">
      <Group gap="xs">
        <Button variant="default" leftSection={<IconReload size={16} />} loading={restart.isPending} onClick={confirmRestart}>
          Restart
        </Button>
        <Button color="red" variant="light" leftSection={<IconPower size={16} />} loading={shutdown.isPending} onClick={confirmShutdown}>
          Shut down
        </Button>
      </Group>
    </Section>
  );
}
