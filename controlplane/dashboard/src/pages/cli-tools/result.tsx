import { Button, Code, Group, Stack, Tabs, Text } from '@mantine/core';
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
        <Tabs.List aria-label="Ways to write the settings" mb="sm">
          <Tabs.Tab value="sh">Linux and macOS</Tabs.Tab>
          <Tabs.Tab value="powershell">Windows</Tabs.Tab>
          <Tabs.Tab value="files">By hand</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="sh">
          <Script label="Shell script" hint="Paste it into a terminal. It needs Python 3." text={script.sh} />
        </Tabs.Panel>
        <Tabs.Panel value="powershell">
          <Script label="PowerShell script" hint="Paste it into PowerShell. It needs Python." text={script.powershell} />
        </Tabs.Panel>
        <Tabs.Panel value="files">
          <Stack>
            {files.map(({ path, format, merge }) => (
              <div key={path}>
                <Text size="sm" mb={4}>
                  Merge into <Code>{path}</Code>
                  {format === 'toml' ? ', written here as JSON: the file is TOML.' : '.'}
                </Text>
                <Snippet label={`Settings for ${path}`} text={JSON.stringify(merge, null, 2)} />
              </div>
            ))}
          </Stack>
        </Tabs.Panel>
      </Tabs>
      <Group>
        <Button variant="default" onClick={onAgain}>
          Change something
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
