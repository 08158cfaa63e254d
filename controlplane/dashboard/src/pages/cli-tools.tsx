import { Alert, Badge, Button, Card, Code, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { rich, t } from '../i18n';
import { ApiFailure, api, unwrap } from '../api/client';
import type { components } from '../api/schema';
import { mayAct, useRole } from '../parts/authority';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { ToolDialog } from './cli-tools/dialog';
import { nameOf, standing } from './cli-tools/words';

type Tool = components['schemas']['CliToolView'];

/** Programs for the command line and for editors, and what they have to be told to call this gateway. */
export function CliToolsPage() {
  const own = useRole();
  return (
    <>
      <PageHeader title={t('CLI tools')} hint={t('Have coding tools call this gateway: their settings, as a script to run where the tool is.')} />
      {mayAct(own, 'operator') ? (
        <Tools />
      ) : (
        <Alert color="gray">{t('Your role is {own}. Setting up tools takes the role operator.', { own })}</Alert>
      )}
    </>
  );
}

function Tools() {
  const [opened, setOpened] = useState<Tool | null>(null);
  const query = useQuery({
    queryKey: ['cli-tools'],
    queryFn: async () => {
      const answer = await api.GET('/api/cli-tools/status');
      try {
        return (await unwrap(Promise.resolve(answer))).tools;
      } catch (error) {
        if (error instanceof ApiFailure && error.code === 'FEATURE_DISABLED') return null;
        throw error;
      }
    },
  });
  return (
    <>
      <Loaded
        query={query}
        empty={(tools) =>
          tools === null && <Empty title={t('CLI tools are switched off')} hint={t('The control plane was started with CLI_TOOLS_MODE=disabled.')} />
        }
      >
        {(tools) => (
          <Stack>
            {isRemote(tools) && (
              <Alert color="gray" title={t('The tools are somewhere else')}>
                {t(
                  'This control plane does not look at the machine of whoever uses a tool, and writes nothing there. It makes a script that does: run it on that machine. It keeps a copy of what was there.',
                )}
              </Alert>
            )}
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {Object.values(tools ?? {}).map((tool) => (
                <ToolCard key={tool.toolId} tool={tool} onOpen={() => setOpened(tool)} />
              ))}
            </SimpleGrid>
          </Stack>
        )}
      </Loaded>
      {opened && <ToolDialog key={opened.toolId} tool={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

const isRemote = (tools: Record<string, Tool> | null) => Object.values(tools ?? {}).some(({ reason }) => reason === 'remote_control_plane');

function ToolCard({ tool, onOpen }: { tool: Tool; onOpen: () => void }) {
  const name = nameOf(tool.toolId);
  const { label, color } = standing(tool);
  return (
    <Card withBorder component="section" aria-label={name}>
      <Stack gap="xs" h="100%" justify="space-between">
        <div>
          <Group justify="space-between" gap="xs" mb={4}>
            <Title order={2} size="h4">
              {name}
            </Title>
            <Badge variant="light" color={color} tt="none">
              {label}
            </Badge>
          </Group>
          <Text size="sm">{tool.command ? <>{rich('Started as {code}', { code: <Code>{tool.command}</Code> })}</> : t('Part of an editor')}</Text>
          <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {tool.configPath ? t('Settings in {configPath}', { configPath: tool.configPath }) : t('Settings are entered by hand')}
          </Text>
        </div>
        <Button variant="light" onClick={onOpen} aria-label={t('Set up {name}', { name })}>
          {t('Set up ‹verb›')}
        </Button>
      </Stack>
    </Card>
  );
}
