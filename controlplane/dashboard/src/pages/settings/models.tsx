import { NumberInput, Select, Switch, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import { Loaded } from '../../parts/states';
import { SettingForm } from '../../parts/setting-form';
import { Section } from './group';

const wait = { query: { wait: 'applied' } } as const;
const modes = [
  { value: 'passthrough', label: t('as clients say') },
  { value: 'auto', label: t('as providers do by themselves') },
  { value: 'custom', label: t('this many tokens') },
  { value: 'adaptive', label: t('by effort, and more for harder requests') },
];

const efforts = [
  { value: 'none', label: t('none') },
  { value: 'low', label: t('low') },
  { value: 'medium', label: t('medium') },
  { value: 'high', label: t('high') },
];

export function ThinkingSettings() {
  const query = useQuery({ queryKey: ['settings', 'thinking'], queryFn: () => unwrap(api.GET('/api/settings/thinking-budget')) });
  return (
    <Section title={t('Thinking')} hint={t('How much models may think before they answer.')} role="operator">
      <Loaded query={query}>
        {(stored) => (
          <SettingForm
            key={JSON.stringify(stored)}
            title={t('Thinking')}
            values={stored}
            save={(body) => settle(api.PATCH('/api/settings/thinking-budget', { params: wait, body }))}
          >
            {(form) => (
              <>
                <Select label={t('Thinking')} data={modes} allowDeselect={false} {...form.getInputProps('mode')} />
                <NumberInput
                  label={t('Tokens')}
                  allowDecimal={false}
                  disabled={form.values.mode !== 'custom'}
                  {...form.getInputProps('customBudget')}
                />
                <Select
                  label={t('Effort')}
                  data={efforts}
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
    <Section title={t('System prompt')} hint={t('Put in front of the instructions of every request.')} role="operator">
      <Loaded query={query}>
        {(stored) => (
          <SettingForm
            key={JSON.stringify(stored)}
            title={t('System prompt')}
            values={stored}
            save={(body) => settle(api.PATCH('/api/settings/system-prompt', { params: wait, body }))}
          >
            {(form) => (
              <>
                <Switch label={t('Add it to requests')} {...form.getInputProps('enabled', { type: 'checkbox' })} />
                <Textarea label={t('Prompt')} autosize minRows={3} maxRows={16} {...form.getInputProps('prompt')} />
              </>
            )}
          </SettingForm>
        )}
      </Loaded>
    </Section>
  );
}
