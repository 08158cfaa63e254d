import { Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { amount, when } from '../../parts/numbers';
import { sentence } from '../../parts/sentence';
import { Loaded } from '../../parts/states';

type Quota = components['schemas']['Quota'];

/** Most providers speak of requests alone; a word of a newer control plane is shown as it came. */
const NAMES: Record<string, string> = { requests: t('Requests'), tokens: t('Tokens') };

/** What an account has left at its provider, as the provider says. */
export function QuotaBars({ connectionId, name }: { connectionId: string; name: string }) {
  const query = useQuery({
    queryKey: ['quota', connectionId],
    queryFn: () => unwrap(api.GET('/api/usage/{connectionId}', { params: { path: { connectionId } } })),
    refetchInterval: ({ state }) => (state.data || !state.error ? 15_000 : false),
  });
  return (
    <Loaded query={query}>
      {({ message, quotas }) => (
        <Stack gap="xs" maw={420} role="group" aria-label={t('Quota of {name}', { name })}>
          {Object.entries(quotas ?? {}).map(([kind, quota]) => (
            <Bar key={kind} kind={NAMES[kind] ?? kind} quota={quota} />
          ))}
          {message && <Text size="sm">{sentence(message)}</Text>}
        </Stack>
      )}
    </Loaded>
  );
}

function Bar({ kind, quota: { used, total, remaining, resetAt, unlimited } }: { kind: string; quota: Quota }) {
  if (unlimited) return <Text size="sm">{t('{kind}: no limit', { kind })}</Text>;
  const left = t('{kind}: {remaining} of {total} left', { kind, remaining: amount(remaining), total: amount(total) });
  return (
    <div>
      <Text size="sm">{left}</Text>
      <Progress value={total > 0 ? (100 * used) / total : 0} color={remaining === 0 ? 'red' : 'teal'} aria-label={left} />
      {resetAt && (
        <Text size="xs" c="dimmed">
          {t('anew at {moment}', { moment: when(resetAt) })}
        </Text>
      )}
    </div>
  );
}
