import { Accordion, Badge, Code, Group, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { rich, t } from '../i18n';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { type Schema, type Schemas, shape } from './api/shape';

type Content = { content?: Record<string, { schema?: Schema }>; description?: string };
type Operation = {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: Content;
  responses: Record<string, Content>;
};
type Document = { paths: Record<string, Record<string, Operation>>; components: { schemas: Schemas } };
type Entry = Operation & { method: string; path: string };

const DOCUMENT = '/api/openapi.json';

/** The management API as its own document describes it. */
export function ApiPage() {
  const [search, setSearch] = useState('');
  const query = useQuery({ queryKey: ['openapi'], queryFn: fetchDocument, staleTime: Infinity });
  return (
    <>
      <PageHeader
        title={t('Management API')}
        hint={t('Everything this dashboard does, for programs: with a management token or a key with the scope manage as Authorization: Bearer.')}
      />
      <TextInput
        label={t('Find')}
        placeholder={t('keys, budget, POST /api/…')}
        leftSection={<IconSearch size={16} />}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
        mb="lg"
        maw={420}
      />
      <Loaded query={query}>{(document) => <Operations document={document} search={search} />}</Loaded>
      <Text size="sm" c="dimmed" mt="lg">
        {rich('The document itself is at {address}.', { address: <a href={DOCUMENT}>{DOCUMENT}</a> })}
      </Text>
    </>
  );
}

async function fetchDocument(): Promise<Document> {
  const answer = await fetch('/api/openapi.json');
  if (!answer.ok) throw new Error(t('The control plane answered {status}.', { status: answer.status }));
  return answer.json();
}

function Operations({ document, search }: { document: Document; search: string }) {
  const entries = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Entry => ({ ...operation, method, path })),
  );
  const words = search.toLowerCase().split(/\s+/);
  const found = entries.filter((entry) => {
    const text = `${entry.method} ${entry.path} ${entry.summary ?? ''} ${entry.tags?.join(' ') ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  if (found.length === 0) return <Empty title={t('Nothing fits')} hint={t('Try a part of a path, such as usage.')} />;
  const tags = [...new Set(found.map(tagOf))].sort();
  return (
    <Stack gap="xl">
      {tags.map((tag) => (
        <section key={tag} aria-label={tag}>
          <Title order={2} size="h4" mb="xs">
            {tag}
          </Title>
          <Accordion variant="contained" multiple>
            {found.filter((entry) => tagOf(entry) === tag).map((entry) => (
              <Accordion.Item key={`${entry.method} ${entry.path}`} value={`${entry.method} ${entry.path}`}>
                <Accordion.Control>
                  <Group gap="sm">
                    <Badge variant="default" w={72}>
                      {entry.method}
                    </Badge>
                    <Code>{entry.path}</Code>
                    <Text size="sm">{entry.summary}</Text>
                  </Group>
                </Accordion.Control>
                <Accordion.Panel>
                  <Details entry={entry} schemas={document.components.schemas} />
                </Accordion.Panel>
              </Accordion.Item>
            ))}
          </Accordion>
        </section>
      ))}
    </Stack>
  );
}

const tagOf = (entry: Entry) => entry.tags?.[0] ?? 'other';

function Details({ entry, schemas }: { entry: Entry; schemas: Schemas }) {
  const successes = Object.entries(entry.responses).filter(([status]) => status < '4');
  return (
    <Stack gap="sm">
      {entry.description && entry.description !== entry.summary && <Text size="sm">{entry.description}</Text>}
      {entry.parameters && entry.parameters.length > 0 && (
        <Table aria-label={t('Parameters')}>
          <Table.Tbody>
            {entry.parameters.map((parameter) => (
              <Table.Tr key={parameter.name}>
                <Table.Td>
                  <Code>{parameter.name}</Code>
                </Table.Td>
                <Table.Td>
                  {parameter.in}
                  {parameter.required ? t(', required') : ''}
                </Table.Td>
                <Table.Td>{parameter.description}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      <Body title={t('Body')} content={entry.requestBody} schemas={schemas} />
      {successes.map(([status, content]) => (
        <Body key={status} title={t('Answer {status}', { status })} content={content} schemas={schemas} />
      ))}
    </Stack>
  );
}

function Body({ title, content, schemas }: { title: string; content: Content | undefined; schemas: Schemas }) {
  const [media, described] = Object.entries(content?.content ?? {})[0] ?? [];
  if (!media) return null;
  return (
    <div>
      <Text size="sm" fw={600}>
        {title}
        {media === 'application/json' ? '' : ` (${media})`}
      </Text>
      <Code block tabIndex={0}>
        {shape(described?.schema, schemas)}
      </Code>
    </div>
  );
}
