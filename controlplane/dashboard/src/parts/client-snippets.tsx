import { Stack, Tabs, Text } from '@mantine/core';
import { t } from '../i18n';
import { Snippet } from './snippet';
import { type Caller, clients } from './clients';

/** What to paste where, for the clients most people have. */
export function ClientSnippets(caller: Caller) {
  return (
    <Tabs defaultValue="curl" keepMounted={false}>
      <Tabs.List aria-label={t('Clients')} mb="sm">
        {clients.map(({ id, name }) => (
          <Tabs.Tab key={id} value={id}>
            {name}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {clients.map(({ id, name, where, write }) => (
        <Tabs.Panel key={id} value={id}>
          <Stack gap="xs">
            <Text size="sm">{where}</Text>
            <Snippet text={write(caller)} label={id === 'curl' ? t('curl command') : t('{name} snippet', { name })} />
          </Stack>
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
