import { Alert, Button, Code, Group, ScrollArea, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { mayAct, useRole } from '../../parts/authority';
import { amount } from '../../parts/numbers';
import { Section } from '../../parts/section';
import { Loaded } from '../../parts/states';
import { readable } from './readable';

type Request = components['schemas']['RequestView'];

/** What the client sent and got, where it is kept. Asked for only when somebody wants to read it: that is on record. */
export function Bodies({ request }: { request: Request }) {
  const [opened, setOpened] = useState(false);
  const mayRead = mayAct(useRole(), 'admin');
  if (!request.hasRequestBody && !request.hasResponseBody) return null;
  return (
    <Section title={t('Bodies')}>
      {!mayRead && <Text size="sm">{t('They are kept, for administrators to read.')}</Text>}
      {mayRead && !opened && (
        <Group>
          <Button variant="default" onClick={() => setOpened(true)}>
            {t('Show what was sent and answered')}
          </Button>
          <Text size="sm" c="dimmed">
            {t('That you read it is written into the audit log.')}
          </Text>
        </Group>
      )}
      {mayRead && opened && <Read id={request.id} />}
    </Section>
  );
}

function Read({ id }: { id: string }) {
  const query = useQuery({
    queryKey: ['request', id, 'bodies'],
    queryFn: () => unwrap(api.GET('/api/usage/call-logs/{id}', { params: { path: { id } } })),
    staleTime: Infinity,
  });
  return (
    <Loaded query={query}>
      {({ requestBody, responseBody }) => (
        <Stack>
          <Body title={t('Sent by the client')} body={requestBody} />
          <Body title={t('Answered to the client')} body={responseBody} />
        </Stack>
      )}
    </Loaded>
  );
}

function Body({ title, body }: { title: string; body: unknown }) {
  const { text, cutFrom } = readable(body);
  return (
    <Stack gap="xs" component="section" aria-label={title}>
      <Title order={3} size="h5">
        {title}
      </Title>
      {text === null ? (
        <Text size="sm" c="dimmed">
          {t('Nothing is kept.')}
        </Text>
      ) : (
        <ScrollArea.Autosize mah={480} viewportProps={{ tabIndex: 0 }}>
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {text}
          </Code>
        </ScrollArea.Autosize>
      )}
      {cutFrom !== null && <Alert color="gray">{t('This is the beginning; there were {bytes} bytes.', { bytes: amount(cutFrom) })}</Alert>}
    </Stack>
  );
}
