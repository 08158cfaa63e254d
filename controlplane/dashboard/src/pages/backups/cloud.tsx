import { Alert, Badge, Button, Checkbox, Code, Group, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Dialog } from '../../parts/dialog';
import { FailureText } from '../../parts/failure';
import { when } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { sentence } from '../../parts/sentence';
import { Snippet } from '../../parts/snippet';
import { Loaded } from '../../parts/states';

type Status = components['schemas']['CloudSyncView'];
type Done = components['schemas']['CloudSyncDone'];
type Action = 'enable' | 'sync' | 'disable';

const WORDS: Record<Action, { title: string; consequence: string; act: string; done: string; color: string }> = {
  enable: {
    title: t('Enable cloud sync?'),
    consequence: t('A copy of the configuration goes to the endpoint that the control planes were started with, and is kept up from then on. Credentials in it are sealed.'),
    act: t('Enable'),
    done: t('Cloud sync is enabled'),
    color: 'teal',
  },
  sync: {
    title: t('Make a new copy?'),
    consequence: t('It replaces the one at the endpoint. Tokens that were renewed there are taken over where ours end sooner.'),
    act: t('Sync now'),
    done: t('The copy is up to date'),
    color: 'teal',
  },
  disable: {
    title: t('Disable cloud sync?'),
    consequence: t('The endpoint is told to remove its copy, and gets no other.'),
    act: t('Disable'),
    done: t('Cloud sync is disabled'),
    color: 'red',
  },
};

/** A copy of the configuration elsewhere, for a gateway that serves while none here does. */
export function CloudSync() {
  const [action, begin] = useState<Action | null>(null);
  const query = useQuery({ queryKey: ['cloud-sync'], queryFn: () => unwrap(api.GET('/api/sync/cloud')), refetchInterval: 30_000 });
  return (
    <Section title={t('Cloud sync')} hint={t('A copy of the configuration at an endpoint of your own, so that a gateway there can serve while none here does.')}>
      <Loaded query={query}>
        {(status) => (
          <Stack gap="sm" align="flex-start">
            <Standing status={status} />
            <Group gap="xs">
              {status.enabled ? (
                <>
                  <Button size="xs" variant="default" onClick={() => begin('sync')}>
                    {t('Sync now')}
                  </Button>
                  <Button size="xs" variant="light" color="red" onClick={() => begin('disable')}>
                    {t('Disable')}
                  </Button>
                </>
              ) : (
                <Button size="xs" variant="default" onClick={() => begin('enable')}>
                  {t('Enable')}
                </Button>
              )}
            </Group>
          </Stack>
        )}
      </Loaded>
      {action && <CloudDialog action={action} onClose={() => begin(null)} />}
    </Section>
  );
}

function Standing({ status: { enabled, connected, lastSync, lastError } }: { status: Status }) {
  if (!enabled) return <Text size="sm">{t('It is off: nothing leaves this installation.')}</Text>;
  return (
    <>
      <Group gap="xs">
        <Badge variant="light" color={connected ? 'teal' : 'red'} tt="none">
          {connected ? t('the endpoint answers') : t('the endpoint does not answer')}
        </Badge>
        <Text size="sm">{lastSync ? t('Last copy: {moment}', { moment: when(lastSync) }) : t('No copy was made yet.')}</Text>
      </Group>
      {lastError && (
        <Alert color="red" title={t('The last run failed')}>
          {sentence(lastError)}
        </Alert>
      )}
    </>
  );
}

function CloudDialog({ action, onClose }: { action: Action; onClose: () => void }) {
  const client = useQueryClient();
  const [force, setForce] = useState(false);
  const { title, consequence, act, done, color } = WORDS[action];
  const run = useMutation({
    mutationFn: () => unwrap(api.POST('/api/sync/cloud', { body: { action, ...(action === 'disable' && { force }) } })),
    // shown where it happened
    onError: () => undefined,
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ['cloud-sync'] });
      // it may have made a key
      await client.invalidateQueries({ queryKey: ['keys'] });
    },
  });
  return (
    <Dialog onClose={onClose} title={run.data ? done : title}>
      {run.data ? (
        <Outcome done={run.data} onClose={onClose} />
      ) : (
        <Stack>
          <Text size="sm">{consequence}</Text>
          {action === 'disable' && (
            <Checkbox
              label={t('Also when the endpoint cannot be told')}
              description={t('Its copy stays there then, and has to be removed there.')}
              checked={force}
              onChange={(event) => setForce(event.currentTarget.checked)}
            />
          )}
          {run.isError && (
            <Alert color="red" title={t('That did not work')}>
              <FailureText error={run.error} />
            </Alert>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              {t('Leave it')}
            </Button>
            <Button color={color} loading={run.isPending} onClick={() => run.mutate()}>
              {act}
            </Button>
          </Group>
        </Stack>
      )}
    </Dialog>
  );
}

function Outcome({ done: { changes, verified, verifyError, createdKey }, onClose }: { done: Done; onClose: () => void }) {
  return (
    <Stack>
      {verified === true && <Text size="sm">{t('The endpoint has the copy and accepts our signature.')}</Text>}
      {verified === false && (
        <Alert color="red" title={t('The copy was made, and the endpoint does not answer to it')}>
          {verifyError && sentence(verifyError)}
        </Alert>
      )}
      {createdKey && (
        <>
          <Alert color="yellow">{t('There was no API key, so one was made. Copy it now. It is not stored and cannot be shown again.')}</Alert>
          <Snippet text={createdKey} label={t('API key')} />
        </>
      )}
      {changes && Object.keys(changes).length > 0 && (
        <div>
          <Text size="sm">{t('What the endpoint says it changed:')}</Text>
          <Code block tabIndex={0} aria-label={t('Changes')}>
            {JSON.stringify(changes, null, 2)}
          </Code>
        </div>
      )}
      <Button onClick={onClose}>{t('Done')}</Button>
    </Stack>
  );
}
