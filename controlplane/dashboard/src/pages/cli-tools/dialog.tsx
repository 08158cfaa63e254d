import { Alert, Autocomplete, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { isNotEmpty, matches, useForm } from '@mantine/form';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { callableModelsQuery } from '../../parts/callable-models';
import { Dialog } from '../../parts/dialog';
import { FailureText } from '../../parts/failure';
import { Snippet } from '../../parts/snippet';
import { KeyField } from './key-field';
import { Result } from './result';
import { FIELDS, SCRIPTED, type Wanted, nameOf, settingsOf } from './words';

type Tool = components['schemas']['CliToolView'];
type Files = components['schemas']['CliToolFiles'];

/** Address, key and model of one tool, and the script that writes them where the tool is. */
export function ToolDialog({ tool, onClose }: { tool: Tool; onClose: () => void }) {
  const { toolId } = tool;
  const name = nameOf(toolId);
  const scripted = SCRIPTED.includes(toolId);
  const isClaude = toolId === 'claude';
  const models = useQuery(callableModelsQuery);
  const [left, setLeft] = useState<unknown>(null);
  const [files, setFiles] = useState<Files | null>(null);
  const [byHand, setByHand] = useState<Wanted | null>(null);
  const form = useForm<Wanted>({
    initialValues: { baseUrl: window.location.origin, apiKey: '', model: '', opus: '', haiku: '' },
    validate: {
      baseUrl: matches(/^\s*https?:\/\/\S+\s*$/, t('An http or https address')),
      apiKey: isNotEmpty(t('Paste a key, or make one')),
      model: isNotEmpty(t('Choose or write a model')),
    },
  });
  const generate = useMutation({
    mutationFn: (wanted: Wanted) =>
      unwrap(api.POST('/api/cli-tools/{settings}', { params: { path: { settings: `${toolId}-settings` } }, body: settingsOf(toolId, wanted) })),
    onMutate: () => setLeft(null),
    onSuccess: setFiles,
    onError: (error) => {
      const details = error instanceof ApiFailure ? error.details : [];
      const errors = Object.fromEntries(details.flatMap(({ field, message }) => (FIELDS[field] ? [[FIELDS[field], message]] : [])));
      form.setErrors(errors);
      if (Object.keys(errors).length === 0) setLeft(error);
    },
  });
  function submit(values: Wanted) {
    const trimmed = Object.fromEntries(Object.entries(values).map(([field, value]) => [field, value.trim()])) as Wanted;
    if (scripted) generate.mutate(trimmed);
    else setByHand(trimmed);
  }
  function again() {
    setFiles(null);
    setByHand(null);
  }

  const choices = { data: models.data ?? [], limit: 50, placeholder: t('provider/model, a combo or an alias') };
  return (
    <Dialog onClose={onClose} title={t('Set up {name}', { name })} size="lg">
      {files && <Result files={files} onAgain={again} />}
      {byHand && <ByHand name={name} wanted={byHand} onAgain={again} />}
      {!files && !byHand && (
        <form onSubmit={form.onSubmit(submit)}>
          <Stack>
            <TextInput label={t('Address of this gateway')} description={t('As the machine of the tool reaches it.')} {...form.getInputProps('baseUrl')} />
            <KeyField tool={name} value={form.values.apiKey} onChange={(key) => form.setFieldValue('apiKey', key)} error={form.errors.apiKey} />
            <Autocomplete label={isClaude ? t('Model, in place of Sonnet') : t('Model')} {...choices} {...form.getInputProps('model')} />
            {isClaude && (
              <>
                <Autocomplete label={t('In place of Opus')} description={t('The same when it is left empty.')} {...choices} {...form.getInputProps('opus')} />
                <Autocomplete label={t('In place of Haiku')} description={t('The same when it is left empty.')} {...choices} {...form.getInputProps('haiku')} />
              </>
            )}
            {left !== null && (
              <Alert color="red" title={t('That did not work')}>
                <FailureText error={left} />
              </Alert>
            )}
            <Group>
              <Button type="submit" loading={generate.isPending}>
                {scripted ? t('Make the script') : t('Show the settings')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}

/** For tools whose settings are entered in their own window. */
function ByHand({ name, wanted: { baseUrl, apiKey, model }, onAgain }: { name: string; wanted: Wanted; onAgain: () => void }) {
  const address = `${baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1`;
  return (
    <Stack>
      <Text size="sm">
        {t('In the settings of {name}, choose a provider that is compatible with OpenAI, and enter these three.', { name })}
      </Text>
      <Field label={t('Base URL')} text={address} />
      <Field label={t('API key')} text={apiKey} />
      <Field label={t('Model')} text={model} />
      <Group>
        <Button variant="default" onClick={onAgain}>
          {t('Change something')}
        </Button>
      </Group>
    </Stack>
  );
}

function Field({ label, text }: { label: string; text: string }) {
  return (
    <div>
      <Text size="sm" fw={500}>
        {label}
      </Text>
      <Snippet label={label} text={text} />
    </div>
  );
}
