import { Button, Modal, Select, Stack, Switch, TextInput } from '@mantine/core';
import { isNotEmpty, matches, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle } from '../../api/client';
import { showApplied } from '../../parts/failure';

type Props = { opened: boolean; onClose: () => void; onSaved: () => void };

/** The dialects an endpoint may speak. The API takes OpenAI's two as one type with a kind. */
const dialects = [
  { value: 'openai-compatible chat', label: 'OpenAI Chat Completions' },
  { value: 'openai-compatible responses', label: 'OpenAI Responses' },
  { value: 'anthropic-compatible', label: 'Anthropic Messages' },
  { value: 'gemini-compatible', label: 'Gemini' },
  { value: 'ollama-compatible', label: 'Ollama' },
  { value: 'azure-compatible chat', label: 'Azure OpenAI' },
  { value: 'azure-compatible responses', label: t('Azure OpenAI, Responses') },
  { value: 'azure-compatible deployments', label: t('Azure OpenAI, with a dated API version') },
  { value: 'bedrock-compatible', label: 'Amazon Bedrock' },
];

const isAzure = (dialect: string) => dialect.startsWith('azure');

/** What an address of a type looks like. */
const example = (dialect: string) => {
  if (isAzure(dialect)) return 'https://my-resource.openai.azure.com';
  return dialect === 'bedrock-compatible' ? 'https://bedrock.example.com' : 'https://example.com/v1';
};

export function NewEndpoint({ opened, onClose, onSaved }: Props) {
  const form = useForm({
    initialValues: { name: '', prefix: '', dialect: 'openai-compatible chat', baseUrl: '', apiVersion: '', allowPrivateAddress: false },
    validate: {
      name: isNotEmpty(t('Give it a name')),
      prefix: matches(/^[a-z0-9][a-z0-9._-]{0,63}$/, t('Lower-case letters, digits and . _ - only')),
      baseUrl: matches(/^\s*https?:\/\/\S+\s*$/, t('An http or https address')),
    },
  });
  const save = useMutation({
    mutationFn: ({ dialect, apiVersion, ...rest }: typeof form.values) => {
      const [type, apiType] = dialect.split(' ');
      const version = isAzure(dialect) && apiVersion.trim() ? { apiVersion: apiVersion.trim() } : {};
      return settle(api.POST('/api/provider-nodes', { params: { query: { wait: 'applied' } }, body: { ...rest, ...version, type, apiType } }));
    },
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('{name} saved', { name }), applied);
      onSaved();
      dismiss();
    },
  });
  function dismiss() {
    form.reset();
    onClose();
  }

  return (
    <Modal opened={opened} onClose={dismiss} title={t('Add endpoint')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label={t('Name')} placeholder={t('GPU server')} data-autofocus {...form.getInputProps('name')} />
          <TextInput
            label={t('Prefix')}
            description={t('Clients write it before the model: prefix/model.')}
            placeholder={t('gpu')}
            {...form.getInputProps('prefix')}
          />
          <Select label={t('Type')} data={dialects} allowDeselect={false} {...form.getInputProps('dialect')} />
          <TextInput label={t('Address')} placeholder={example(form.values.dialect)} {...form.getInputProps('baseUrl')} />
          {isAzure(form.values.dialect) && (
            <TextInput
              label={t('API version')}
              description={t('Empty: the newest that is no preview. Models are the names of your deployments.')}
              placeholder={form.values.dialect.endsWith('deployments') ? '2024-10-21' : t('preview')}
              {...form.getInputProps('apiVersion')}
            />
          )}
          <Switch
            label={t('Allow a private address')}
            description={t('For servers in your own network.')}
            {...form.getInputProps('allowPrivateAddress', { type: 'checkbox' })}
          />
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
