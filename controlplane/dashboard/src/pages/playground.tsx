import { Autocomplete, Button, Card, Group, PasswordInput, Select, SimpleGrid, Stack, Textarea } from '@mantine/core';
import { isNotEmpty, useForm } from '@mantine/form';
import { IconPlayerStop, IconSend } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { t } from '../i18n';
import { callableModelsQuery } from '../parts/callable-models';
import { PageHeader } from '../parts/states';
import { AnswerCard } from './playground/answer';
import { type Dialect, dialects } from './playground/dialects';
import { useAnswers } from './playground/use-answers';

/** Asks one model, or two side by side, as a client of the gateway would. */
export function PlaygroundPage() {
  const models = useQuery(callableModelsQuery);
  const { answers, busy, send, stop } = useAnswers();
  const form = useForm({
    initialValues: { dialect: 'openai' as Dialect, key: '', model: '', other: '', system: '', message: '' },
    validate: {
      key: isNotEmpty(t('Paste an API key of this gateway')),
      model: isNotEmpty(t('Choose or write a model')),
      message: isNotEmpty(t('Write something to ask')),
    },
  });

  function submit({ dialect, key, model, other, system, message }: typeof form.values) {
    const asked = [model, other].map((name) => name.trim()).filter(Boolean);
    send({ dialect, key: key.trim(), system: system.trim(), message }, asked);
  }

  return (
    <>
      <PageHeader title={t('Playground')} hint={t('Ask a model as a client of this gateway does. Requests count and cost like any other.')} />
      <Stack>
        <Card withBorder>
          <form onSubmit={form.onSubmit(submit)}>
            <Stack>
              <SimpleGrid cols={{ base: 1, sm: 2 }}>
                <Select
                  label={t('API')}
                  description={t('The dialect that the request is written in, whatever the model’s provider speaks.')}
                  allowDeselect={false}
                  data={Object.entries(dialects).map(([value, { label }]) => ({ value, label }))}
                  {...form.getInputProps('dialect')}
                />
                <PasswordInput
                  label={t('API key')}
                  description={t('Used for these requests only, and forgotten when you leave the page.')}
                  autoComplete="off"
                  visibilityToggleButtonProps={{ 'aria-label': t('Show the key') }}
                  {...form.getInputProps('key')}
                />
                <Autocomplete label={t('Model')} placeholder={t('provider/model, a combo or an alias')} data={models.data ?? []} limit={50} {...form.getInputProps('model')} />
                <Autocomplete label={t('Compare with')} placeholder={t('optional')} data={models.data ?? []} limit={50} {...form.getInputProps('other')} />
              </SimpleGrid>
              <Textarea label={t('System prompt')} placeholder={t('optional')} autosize minRows={1} maxRows={8} {...form.getInputProps('system')} />
              <Textarea label={t('Message')} autosize minRows={3} maxRows={16} {...form.getInputProps('message')} />
              <Group>
                <Button type="submit" leftSection={<IconSend size={16} />} loading={busy}>
                  {t('Send')}
                </Button>
                <Button variant="default" leftSection={<IconPlayerStop size={16} />} disabled={!busy} onClick={stop}>
                  {t('Stop')}
                </Button>
              </Group>
            </Stack>
          </form>
        </Card>
        <SimpleGrid cols={{ base: 1, md: answers.length || 1 }}>
          {answers.map(({ model, answer }, place) => (
            <AnswerCard key={place} model={model} answer={answer} />
          ))}
        </SimpleGrid>
      </Stack>
    </>
  );
}
