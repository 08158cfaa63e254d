import { Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { Needs } from '../parts/authority';
import { Loaded, PageHeader } from '../parts/states';
import { FollowedRuns } from './evals/followed-runs';
import { RecentRuns } from './evals/recent-runs';
import { StartRun } from './evals/start-run';
import { Suites } from './evals/suites';

type Overview = components['schemas']['EvalOverview'];

async function readOverview(): Promise<Overview> {
  const answer = await unwrap(api.GET('/api/evals', { params: { query: { view: 'full' } } }));
  if (Array.isArray(answer)) throw new Error('the API answered with the suites alone, and was asked for all');
  return answer;
}

/** Asks models questions whose answers are known, and counts how many are right. */
export function EvalsPage() {
  const [followed, setFollowed] = useState<string[]>([]);
  const query = useQuery({ queryKey: ['evals'], queryFn: readOverview, refetchInterval: 5_000 });
  return (
    <Needs role="operator">
      <PageHeader title={t('Evals')} hint={t('Questions whose answers are known, asked of a model or of two. Nothing is charged to a key.')} />
      <Loaded query={query}>
        {({ suites, recentRuns }) => (
          <Stack gap="xl">
            <StartRun suites={suites} onStarted={setFollowed} />
            {followed.length > 0 && <FollowedRuns key={followed.join()} ids={followed} />}
            <RecentRuns runs={recentRuns} onShow={setFollowed} />
            <Suites suites={suites} />
          </Stack>
        )}
      </Loaded>
    </Needs>
  );
}
