import { NumberInput, Select, Switch, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, settle, unwrap } from '../../api/client';
import { Loaded } from '../../parts/states';
import { Section, SettingForm } from './group';

const wait = { query: { wait: 'applied' } } as const;
const modes = [
  { value: 'passthrough', label: 'as clients say' },
  { value: 'auto', label: 'as providers do by themselves' },
  { value: 'custom', label: 'this many tokens' },
  { value: 'adaptive', label: 'by effort, and more for harder requests' },
];

export function ThinkingSettings() {
  const query = useQuery({ queryKey: ['settings', 'thinking'], queryFn: () => unwrap(api.GET('/api/settings/thinking-budget')) });
  return (
    <Section title="Thinking" hint="How much models may think before they answer." role="operator">
      <Loaded query={query}>
        {(stored) => (
          <SettingForm
            key={JSON.stringify(stored)}
            title="Thinking"
            values={stored}
            save={(body) => settle(api.PATCH('/api/settings/thinking-budget', { params: wait, body }))}
          >
            {(form) => (
              <>
                <Select label="Thinking" data={modes} allowDeselect={false} {...form.getInputProps('mode')} />
                <NumberInput label="Tokens" allowDecimal={false} disabled={form.values.mode !== 'custom'} {...form.getInputProps('customBudget')} />
                <Select
                  label="Effort"
                  data={['none', 'low', 'medium', 'high']}
                  allowDeselect={false}
                  disabled={form.values.mode !== 'adaptive'}
                  {...form.getInputProps('effortLevel')}
                />
              </>
            )}
          </SettingForm>
        )}
      </Loaded>
    </Section>
  );
}

export function PromptSettings() {
  const query = useQuery({ queryKey: ['settings', 'prompt'], queryFn: () => unwrap(api.GET('/api/settings/system-prompt')) });
  return (
    <Section title="System prompt" hint="Put in front of the instructions of every request." role="operator">
      <Loaded query={query}>
        {(stored) => (
          <SettingForm
            key={JSON.stringify(stored)}
            title="System prompt"
            values={stored}
            save={(body) => settle(api.PATCH('/api/settings/system-prompt', { params: wait, body }))}
          >
            {(form) => (
              <>
                <Switch label="Add it to requests" {...form.getInputProps('enabled', { type: 'checkbox' })} />
                <Textarea label="Prompt" autosize minRows={3} maxRows={16} {...form.getInputProps('prompt')} />
              </>
            )}
          </SettingForm>
        )}
      </Loaded>
    </Section>
  );
}
