import { Button, SimpleGrid, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../i18n';
import { api, settle, unwrap } from '../api/client';
import { confirmAct } from '../parts/confirm';
import { showApplied } from '../parts/failure';
import { amount, percent, span } from '../parts/numbers';
import { Figure, Section } from '../parts/section';
import { Empty, Loaded, PageHeader } from '../parts/states';

type Scope = 'all' | 'semantic' | 'idempotency';

const CONSEQUENCES: Record<Scope, { title: string; consequence: string; done: string }> = {
  all: {
    title: t('Clear everything?'),
    consequence: t('Every answer is forgotten, and hits are counted anew. What is asked again goes to a provider, and costs again.'),
    done: t('Cache cleared'),
  },
  semantic: {
    title: t('Clear the answers?'),
    consequence: t('Answers to questions are forgotten, and hits are counted anew. What is asked again goes to a provider, and costs again.'),
    done: t('Answers cleared'),
  },
  idempotency: {
    title: t('Clear the repeats?'),
    consequence: t('A request that a client sends again under the same name is carried out again.'),
    done: t('Repeats cleared'),
  },
};

/** Answers that are given again: how often, how many there are, and an end to them. */
export function CachePage() {
  const client = useQueryClient();
  const query = useQuery({
    queryKey: ['cache'],
    queryFn: async () => {
      const [cache, memory] = await Promise.all([unwrap(api.GET('/api/cache')), unwrap(api.GET('/api/cache/stats'))]);
      return { ...cache, memory };
    },
    refetchInterval: 5_000,
  });
  const clear = useMutation({
    mutationFn: (scope: Scope) => settle(api.DELETE('/api/cache', { params: { query: { scope, wait: 'applied' } } })),
    onSuccess: ({ applied }, scope) => showApplied(CONSEQUENCES[scope].done, applied),
    onSettled: () => client.invalidateQueries({ queryKey: ['cache'] }),
  });
  function confirmClear(scope: Scope) {
    const { title, consequence } = CONSEQUENCES[scope];
    confirmAct({ title, consequence, confirm: t('Clear'), cancel: t('Keep it'), onConfirm: () => clear.mutate(scope) });
  }
  const clearing = (scope: Scope) => clear.isPending && clear.variables === scope;
  return (
    <>
      <PageHeader
        title={t('Cache')}
        hint={t('Answers that are given again, so that no provider has to.')}
        action={
          <Button color="red" variant="light" loading={clearing('all')} onClick={() => confirmClear('all')}>
            {t('Clear everything')}
          </Button>
        }
      />
      <Loaded query={query}>
        {({ semanticCache: answers, idempotency, memory }) => (
          <Stack gap="lg">
            <Section
              title={t('Answers')}
              hint={t('To questions that are asked again, since the cache was cleared last.')}
              action={
                <Button size="xs" variant="default" loading={clearing('semantic')} onClick={() => confirmClear('semantic')}>
                  {t('Clear answers')}
                </Button>
              }
            >
              {answers.hits + answers.misses === 0 && (
                <Empty
                  title={t('Nothing was looked up yet')}
                  hint={t('Send the same request twice, with temperature 0: the second answer comes from here.')}
                />
              )}
              <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
                <Figure label={t('Hits')} value={amount(answers.hits)}>
                  {t('{semanticHits} of them to a similar question', { semanticHits: amount(answers.semanticHits) })}
                </Figure>
                <Figure label={t('Misses')} value={amount(answers.misses)}>
                  {t('{hitRate} of the look-ups were hits', { hitRate: percent(answers.hitRate) })}
                </Figure>
                <Figure label={t('Tokens saved')} value={amount(answers.tokensSaved)}>
                  {t('of answers that no provider had to give')}
                </Figure>
                <Figure label={t('Size')} value={amount(answers.dbEntries)}>
                  {t('answers in the state store')}
                </Figure>
              </SimpleGrid>
              <Text size="sm" mt="sm">
                {t('In the memory of data planes: {size} of at most {maxSize} answers; {evictions} had to make room.', {
                  size: amount(memory.size),
                  maxSize: amount(memory.maxSize),
                  evictions: amount(memory.evictions),
                })}
              </Text>
            </Section>
            <Section
              title={t('Repeats')}
              hint={t('Requests that a client sends again get the answer of the first one.')}
              action={
                <Button size="xs" variant="default" loading={clearing('idempotency')} onClick={() => confirmClear('idempotency')}>
                  {t('Clear repeats')}
                </Button>
              }
            >
              <Text size="sm">
                {idempotency.windowMs > 0
                  ? t('Remembered now: {count}, each for {window}.', { count: amount(idempotency.activeKeys), window: span(idempotency.windowMs) })
                  : t('Remembered now: {count}.', { count: amount(idempotency.activeKeys) })}
              </Text>
            </Section>
          </Stack>
        )}
      </Loaded>
    </>
  );
}
