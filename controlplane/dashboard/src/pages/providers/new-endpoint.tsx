import { Button, Modal, Select, Stack, Switch, TextInput } from '@mantine/core';
import { isNotEmpty, matches, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
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
  { value: 'azure-compatible responses', label: 'Azure OpenAI, Responses' },
  { value: 'azure-compatible deployments', label: 'Azure OpenAI, with a dated API version' },
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
      name: isNotEmpty('Give it a name'),
      prefix: matches(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'Lower-case letters, digits and . _ - only'),
      baseUrl: matches(/^\s*https?:\/\/\S+\s*$/, 'An http or https address'),
    },
  });
  const save = useMutation({
    mutationFn: ({ dialect, apiVersion, ...rest }: typeof form.values) => {
      const [type, apiType] = dialect.split(' ');
      const version = isAzure(dialect) && apiVersion.trim() ? { apiVersion: apiVersion.trim() } : {};
      return settle(api.POST('/api/provider-nodes', { params: { query: { wait: 'applied' } }, body: { ...rest, ...version, type, apiType } }));
    },
    onSuccess: ({ applied }, { name }) => {
      showApplied(`${name} saved`, applied);
      onSaved();
      dismiss();
    },
  });
  function dismiss() {
    form.reset();
    onClose();
  }

  return (
    <Modal opened={opened} onClose={dismiss} title="Add endpoint">
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label="Name" placeholder="GPU server" data-autofocus {...form.getInputProps('name')} />
          <TextInput
            label="Prefix"
            description="Clients write it before the model: prefix/model."
            placeholder="gpu"
            {...form.getInputProps('prefix')}
          />
          <Select label="Type" data={dialects} allowDeselect={false} {...form.getInputProps('dialect')} />
          <TextInput label="Address" placeholder={example(form.values.dialect)} {...form.getInputProps('baseUrl')} />
          {isAzure(form.values.dialect) && (
            <TextInput
              label="API version"
              description="Empty: the newest that is no preview. Models are the names of your deployments."
              placeholder={form.values.dialect.endsWith('deployments') ? '2024-10-21' : 'preview'}
              {...form.getInputProps('apiVersion')}
            />
          )}
          <Switch
            label="Allow a private address"
            description="For servers in your own network."
            {...form.getInputProps('allowPrivateAddress', { type: 'checkbox' })}
          />
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
