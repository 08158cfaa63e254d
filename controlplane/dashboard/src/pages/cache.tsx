import { Button, SimpleGrid, Stack, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, settle, unwrap } from '../api/client';
import { confirmAct } from '../parts/confirm';
import { showApplied } from '../parts/failure';
import { amount, percent, span } from '../parts/numbers';
import { Figure, Section } from '../parts/section';
import { Empty, Loaded, PageHeader } from '../parts/states';

type Scope = 'all' | 'semantic' | 'idempotency';

const CONSEQUENCES: Record<Scope, { title: string; consequence: string; done: string }> = {
  all: {
    title: 'Clear everything?',
    consequence: 'Every answer is forgotten, and hits are counted anew. What is asked again goes to a provider, and costs again.',
    done: 'Cache cleared',
  },
  semantic: {
    title: 'Clear the answers?',
    consequence: 'Answers to questions are forgotten, and hits are counted anew. What is asked again goes to a provider, and costs again.',
    done: 'Answers cleared',
  },
  idempotency: {
    title: 'Clear the repeats?',
    consequence: 'A request that a client sends again under the same name is carried out again.',
    done: 'Repeats cleared',
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
    confirmAct({ title, consequence, confirm: 'Clear', cancel: 'Keep it', onConfirm: () => clear.mutate(scope) });
  }
  const clearing = (scope: Scope) => clear.isPending && clear.variables === scope;
  return (
    <>
      <PageHeader
        title="Cache"
        hint="Answers that are given again, so that no provider has to."
        action={
          <Button color="red" variant="light" loading={clearing('all')} onClick={() => confirmClear('all')}>
            Clear everything
          </Button>
        }
      />
      <Loaded query={query}>
        {({ semanticCache: answers, idempotency, memory }) => (
          <Stack gap="lg">
            <Section
              title="Answers"
              hint="To questions that are asked again, since the cache was cleared last."
              action={
                <Button size="xs" variant="default" loading={clearing('semantic')} onClick={() => confirmClear('semantic')}>
                  Clear answers
                </Button>
              }
            >
              {answers.hits + answers.misses === 0 && (
                <Empty title="Nothing was looked up yet" hint="Send the same request twice, with temperature 0: the second answer comes from here." />
              )}
              <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }}>
                <Figure label="Hits" value={amount(answers.hits)}>
                  {amount(answers.semanticHits)} of them to a similar question
                </Figure>
                <Figure label="Misses" value={amount(answers.misses)}>
                  {percent(answers.hitRate)} of the look-ups were hits
                </Figure>
                <Figure label="Tokens saved" value={amount(answers.tokensSaved)}>
                  of answers that no provider had to give
                </Figure>
                <Figure label="Size" value={amount(answers.dbEntries)}>
                  answers in the state store
                </Figure>
              </SimpleGrid>
              <Text size="sm" mt="sm">
                In the memory of data planes: {amount(memory.size)} of at most {amount(memory.maxSize)} answers;{' '}
                {amount(memory.evictions)} had to make room.
              </Text>
            </Section>
            <Section
              title="Repeats"
              hint="Requests that a client sends again get the answer of the first one."
              action={
                <Button size="xs" variant="default" loading={clearing('idempotency')} onClick={() => confirmClear('idempotency')}>
                  Clear repeats
                </Button>
              }
            >
              <Text size="sm">
                Remembered now: {amount(idempotency.activeKeys)}
                {idempotency.windowMs > 0 && `, each for ${span(idempotency.windowMs)}`}.
              </Text>
            </Section>
          </Stack>
        )}
      </Loaded>
    </>
  );
}
