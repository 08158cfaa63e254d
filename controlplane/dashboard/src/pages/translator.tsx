import { Alert, Badge, Button, Card, Group, Select, SimpleGrid, Stack, Table, Text, TextInput, Textarea, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconLanguage, IconSend } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { rich, t } from '../i18n';
import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { apiWord } from '../parts/api-words';
import { Needs } from '../parts/authority';
import { FailureText } from '../parts/failure';
import { milliseconds, when } from '../parts/numbers';
import { Snippet } from '../parts/snippet';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { TranslationNotes } from '../parts/translation-notes';
import { type Body, SAMPLE, dialects, named, readBody } from './translator/dialects';

type Translated = components['schemas']['Translated'];
type InDialect = { format: string; translated?: Translated; error?: unknown };

/** The request in every dialect but its own. One that it cannot be said in does not hide the others. */
async function translateAll(body: Body, given: string | null): Promise<{ source: string; others: InDialect[] }> {
  const source = given ?? (await unwrap(api.POST('/api/translator/detect', { body: { body } }))).format;
  const others = dialects.map(({ value }) => value).filter((format) => format !== source);
  const inEach = others.map((format) =>
    unwrap(api.POST('/api/translator/translate', { body: { body, sourceFormat: source, targetFormat: format } })).then(
      (translated): InDialect => ({ format, translated }),
      (error: unknown): InDialect => ({ format, error }),
    ),
  );
  return { source, others: await Promise.all(inEach) };
}

/** Shows what the gateway makes of a request on its way to a provider of another dialect. */
export function TranslatorPage() {
  const client = useQueryClient();
  const history = useQuery({
    queryKey: ['translator-history'],
    queryFn: () => unwrap(api.GET('/api/translator/history', { params: { query: { limit: 20 } } })),
  });
  const refresh = () => client.invalidateQueries({ queryKey: ['translator-history'] });
  const form = useForm({
    initialValues: { text: SAMPLE, source: null as string | null, model: '' },
    validate: { text: (text) => readBody(text).problem },
  });
  const translate = useMutation({
    mutationFn: ({ text, source }: typeof form.values) => translateAll(readBody(text).body, source),
    onSettled: refresh,
  });
  const send = useMutation({
    mutationFn: ({ text, source, model }: typeof form.values) =>
      unwrap(
        api.POST('/api/translator/send', {
          body: { body: readBody(text).body, ...(source && { sourceFormat: source }), ...(model.trim() && { model: model.trim() }) },
        }),
      ),
    // shown where the answer would be
    onError: () => undefined,
    onSettled: refresh,
  });
  return (
    <Needs role="operator">
      <PageHeader title={t('Translator')} hint={t('A request in one dialect, as providers of the others get it.')} />
      <Stack>
        <Card withBorder>
          <form onSubmit={form.onSubmit((values) => translate.mutate(values))}>
            <Stack>
              <Textarea
                label={t('Request')}
                autosize
                minRows={6}
                maxRows={24}
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
                {...form.getInputProps('text')}
              />
              <SimpleGrid cols={{ base: 1, sm: 2 }}>
                <Select label={t('Dialect')} placeholder={t('found out')} clearable data={dialects} {...form.getInputProps('source')} />
                <TextInput label={t('Send to')} placeholder={t('the model that the request names')} {...form.getInputProps('model')} />
              </SimpleGrid>
              <Group>
                <Button type="submit" leftSection={<IconLanguage size={16} />} loading={translate.isPending}>
                  {t('Translate')}
                </Button>
                <Button
                  variant="default"
                  leftSection={<IconSend size={16} />}
                  loading={send.isPending}
                  onClick={() => void form.onSubmit((values) => send.mutate(values))()}
                >
                  {t('Send')}
                </Button>
              </Group>
            </Stack>
          </form>
        </Card>
        {send.isError && (
          <Alert color="red" title={t('It was not answered')}>
            <FailureText error={send.error} />
          </Alert>
        )}
        {send.data && (
          <Card withBorder component="section" aria-label={t('Answer')}>
            <Title order={2} size="h4" mb="xs">
              {t('Answer')}
            </Title>
            <Text size="sm" c="dimmed" mb="xs">
              {t('{model} of {provider} in {time}, in the dialect {dialect}', {
                model: send.data.model,
                provider: send.data.provider,
                time: milliseconds(send.data.latencyMs),
                dialect: named(send.data.sourceFormat),
              })}
            </Text>
            <Snippet text={JSON.stringify(send.data.result, null, 2)} label={t('answer')} />
          </Card>
        )}
        {translate.data && (
          <>
            <Text role="status">
              {rich('This is a request in the dialect {strong}.', { strong: <strong>{named(translate.data.source)}</strong> })}
            </Text>
            <SimpleGrid cols={{ base: 1, lg: 2 }}>
              {translate.data.others.map((other) => (
                <OtherDialect key={other.format} other={other} />
              ))}
            </SimpleGrid>
          </>
        )}
        <section aria-label={t('Tried before')}>
          <Title order={2} size="h4" mb="xs">
            {t('Tried before')}
          </Title>
          <Loaded
            query={history}
            empty={({ events }) =>
              events.length === 0 && <Empty title={t('Nothing yet')} hint={t('Translate or send a request; what it said is not kept.')} />
            }
          >
            {({ events }) => (
              <Table.ScrollContainer minWidth={640}>
                <Table>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t('When')}</Table.Th>
                      <Table.Th>{t('What')}</Table.Th>
                      <Table.Th>{t('Model')}</Table.Th>
                      <Table.Th>{t('From')}</Table.Th>
                      <Table.Th>{t('To')}</Table.Th>
                      <Table.Th>{t('Outcome')}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {events.map((event, at) => (
                      <Table.Tr key={`${event.timestamp} ${at}`}>
                        <Table.Td>{when(event.timestamp)}</Table.Td>
                        <Table.Td>{event.kind === 'send' ? t('sent') : t('translated')}</Table.Td>
                        <Table.Td>{event.model}</Table.Td>
                        <Table.Td>{named(event.sourceFormat)}</Table.Td>
                        <Table.Td>{event.targetFormat ? named(event.targetFormat) : '–'}</Table.Td>
                        <Table.Td>
                          <Badge variant="light" color={event.status === 'ok' ? 'teal' : 'red'} tt="none">
                            {apiWord(event.status)}
                          </Badge>
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
            )}
          </Loaded>
        </section>
      </Stack>
    </Needs>
  );
}

function OtherDialect({ other: { format, translated, error } }: { other: InDialect }) {
  return (
    <Card withBorder component="section" aria-label={named(format)}>
      <Title order={3} size="h5" mb="xs">
        {named(format)}
      </Title>
      {translated ? (
        <Stack gap="xs">
          <TranslationNotes notes={translated.notes} />
          <Snippet text={JSON.stringify(translated.result, null, 2)} label={t('request for {format}', { format: named(format) })} />
        </Stack>
      ) : (
        <Alert color="red" title={t('It cannot be said in this dialect')}>
          <FailureText error={error} />
        </Alert>
      )}
    </Card>
  );
}
