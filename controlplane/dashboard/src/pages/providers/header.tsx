import { ActionIcon, Badge, Button, Code, Group, Text, Title, Tooltip } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { rich, t } from '../../i18n';
import { api, settle } from '../../api/client';
import type { components } from '../../api/schema';
import { confirmAct } from '../../parts/confirm';
import { DeleteButton } from '../../parts/delete-button';
import { showApplied } from '../../parts/failure';
import { amount, milliseconds, percent } from '../../parts/numbers';
import { type ProxyConfig, WAYS, addressOf, wayOf } from '../../parts/proxies';
import type { Node } from './endpoint-dialog';
import type { Connection, Provider } from './groups';
import type { Standing } from './standing';

type Breaker = components['schemas']['BreakerStanding'];

const STATES: Record<Breaker['state'], { label: string; color: string }> = {
  CLOSED: { label: t('in use'), color: 'teal' },
  OPEN: { label: t('left alone'), color: 'red' },
  HALF_OPEN: { label: t('being tried'), color: 'gray' },
};

type Props = {
  provider: Provider;
  node: Node | undefined;
  standing: Standing | undefined;
  proxies: ProxyConfig | undefined;
  onTest: () => void;
  onModels: () => void;
  onProxies: () => void;
  onEdit: () => void;
  onDelete: () => void;
  onChanged: () => void;
};

/** A provider with what holds for all of its connections. */
export function ProviderHeader({ provider, node, standing, proxies, onTest, onModels, onProxies, onEdit, onDelete, onChanged }: Props) {
  const { id, name, prefix, connections } = provider;
  const breaker = standing?.breakers[id];
  return (
    <Group justify="space-between" align="flex-start" mb="xs">
      <div>
        <Group gap="xs">
          <Title order={2} size="h4">
            {name}
          </Title>
          {node && (
            <Badge variant="default" tt="none">
              {node.type}
            </Badge>
          )}
          {breaker && (
            <Badge variant="light" color={STATES[breaker.state].color} tt="none">
              {STATES[breaker.state].label}
            </Badge>
          )}
        </Group>
        <Text size="sm" c="dimmed">
          {node
            ? rich('Models begin with {prefix} and are served by {address}', { prefix: <Code>{prefix}/</Code>, address: node.baseUrl })
            : rich('Models begin with {prefix}', { prefix: <Code>{prefix}/</Code> })}
        </Text>
        {standing && <Figures figures={standing.figures[id]} />}
        {proxies && <Way proxies={proxies} provider={id} />}
      </div>
      <Group gap="xs">
        <Button size="compact-sm" variant="default" onClick={onModels} aria-label={t('Models of {name}', { name })}>
          {t('Models')}
        </Button>
        <Button size="compact-sm" variant="default" onClick={onProxies} aria-label={t('Proxies of {name}', { name })}>
          {t('Proxies')}
        </Button>
        {connections.some(({ isActive }) => isActive) && (
          <Button size="compact-sm" variant="default" onClick={onTest} aria-label={t('Test all of {name}', { name })}>
            {t('Test all')}
          </Button>
        )}
        {connections.length > 1 && <All name={name} connections={connections} onChanged={onChanged} />}
        {node && (
          <Tooltip label={t('Edit')}>
            <ActionIcon variant="subtle" aria-label={t('Edit endpoint {name}', { name })} onClick={onEdit}>
              <IconPencil size={16} />
            </ActionIcon>
          </Tooltip>
        )}
        {node && <DeleteButton what={t('endpoint {name}', { name })} onClick={onDelete} />}
      </Group>
    </Group>
  );
}

function Figures({ figures }: { figures: Standing['figures'][string] | undefined }) {
  return (
    <Text size="sm" c="dimmed">
      {figures
        ? t('Requests in 30 days: {total}, {rate} answered. Half of the answers began within {half}, 95 of 100 within {most}.', {
            total: amount(figures.totalRequests),
            rate: percent(figures.successRate / 100),
            half: milliseconds(figures.p50Ms),
            most: milliseconds(figures.p95Ms),
          })
        : t('No request in 30 days.')}
    </Text>
  );
}

/** Nothing is said where calls go out directly, as most do. */
function Way({ proxies, provider }: { proxies: ProxyConfig; provider: string }) {
  const way = wayOf(proxies, provider);
  if (!way) return null;
  return (
    <Text size="sm" c="dimmed">
      {t('Calls go through {address} ({whose}).', { address: addressOf(way.proxy), whose: WAYS[way.level] ?? way.level })}
    </Text>
  );
}

/** All connections on or off, one after the other: the last one says how far the change has got. */
function All({ name, connections, onChanged }: { name: string; connections: Connection[]; onChanged: () => void }) {
  const change = useMutation({
    mutationFn: async (isActive: boolean) => {
      const ids = connections.filter((connection) => connection.isActive !== isActive).map(({ id }) => id);
      let applied: string | null = null;
      for (const id of ids) {
        const query = id === ids.at(-1) ? ({ wait: 'applied' } as const) : {};
        ({ applied } = await settle(api.PATCH('/api/providers/{id}', { params: { path: { id }, query }, body: { isActive } })));
      }
      return { applied };
    },
    onSuccess: ({ applied }, isActive) =>
      showApplied(isActive ? t('All of {name} enabled', { name }) : t('All of {name} disabled', { name }), applied),
    onSettled: onChanged,
  });
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        loading={change.isPending && change.variables}
        disabled={connections.every(({ isActive }) => isActive)}
        onClick={() => change.mutate(true)}
        aria-label={t('Enable all of {name}', { name })}
      >
        {t('Enable all')}
      </Button>
      <Button
        size="compact-sm"
        variant="default"
        loading={change.isPending && !change.variables}
        disabled={connections.every(({ isActive }) => !isActive)}
        onClick={() =>
          confirmAct({
            title: t('Disable all of {name}?', { name }),
            consequence: t('Requests to it are refused until one of its connections is enabled again.'),
            confirm: t('Disable all'),
            cancel: t('Leave them on'),
            onConfirm: () => change.mutate(false),
          })
        }
        aria-label={t('Disable all of {name}', { name })}
      >
        {t('Disable all')}
      </Button>
    </>
  );
}
