import { Button, Code, Group, Stack, Tabs, Text } from '@mantine/core';
import { rich, t } from '../../i18n';
import type { components } from '../../api/schema';
import { sentence } from '../../parts/sentence';
import { Snippet } from '../../parts/snippet';

type Files = components['schemas']['CliToolFiles'];

/** What to run, or for whoever prefers to do it by hand, what to merge. */
export function Result({ files: { files, message, script }, onAgain }: { files: Files; onAgain: () => void }) {
  return (
    <Stack>
      <Text size="sm">{sentence(message)}</Text>
      <Tabs defaultValue="sh" keepMounted={false}>
        <Tabs.List aria-label={t('Ways to write the settings')} mb="sm">
          <Tabs.Tab value="sh">{t('Linux and macOS')}</Tabs.Tab>
          <Tabs.Tab value="powershell">{t('Windows')}</Tabs.Tab>
          <Tabs.Tab value="files">{t('By hand')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="sh">
          <Script label={t('Shell script')} hint={t('Paste it into a terminal. It needs Python 3.')} text={script.sh} />
        </Tabs.Panel>
        <Tabs.Panel value="powershell">
          <Script label={t('PowerShell script')} hint={t('Paste it into PowerShell. It needs Python.')} text={script.powershell} />
        </Tabs.Panel>
        <Tabs.Panel value="files">
          <Stack>
            {files.map(({ path, format, merge }) => (
              <div key={path}>
                <Text size="sm" mb={4}>
                  {format === 'toml'
                    ? rich('Merge into {path}, written here as JSON: the file is TOML.', { path: <Code>{path}</Code> })
                    : rich('Merge into {path}.', { path: <Code>{path}</Code> })}
                </Text>
                <Snippet label={t('Settings for {path}', { path })} text={JSON.stringify(merge, null, 2)} />
              </div>
            ))}
          </Stack>
        </Tabs.Panel>
      </Tabs>
      <Group>
        <Button variant="default" onClick={onAgain}>
          {t('Change something')}
        </Button>
      </Group>
    </Stack>
  );
}

/** Long, and scrolled inside its own box: the copy button stays where it is. */
function Script({ label, hint, text }: { label: string; hint: string; text: string }) {
  return (
    <Stack gap="xs">
      <Text size="sm">{hint}</Text>
      <Snippet label={label} text={text} tall />
    </Stack>
  );
}
