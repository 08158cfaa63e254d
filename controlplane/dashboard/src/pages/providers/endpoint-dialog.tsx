import { Alert, Button, Select, Stack, Switch, TextInput } from '@mantine/core';
import { isNotEmpty, matches, useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle } from '../../api/client';
import type { components } from '../../api/schema';
import { Dialog } from '../../parts/dialog';
import { FailureText, showApplied } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';

export type Node = components['schemas']['NodeView'];

/** `node` is the one that is changed; without it, a new one is made. */
type Props = { node?: Node; onClose: () => void; onSaved: () => void };

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

const typeOf = (dialect: string) => dialect.split(' ')[0];
const isAzure = (dialect: string) => dialect.startsWith('azure');

/** What an address of a type looks like. */
const example = (dialect: string) => {
  if (isAzure(dialect)) return 'https://my-resource.openai.azure.com';
  return dialect === 'bedrock-compatible' ? 'https://bedrock.example.com' : 'https://example.com/v1';
};

export function EndpointDialog({ node, onClose, onSaved }: Props) {
  const [left, setLeft] = useState<unknown>(null);
  const form = useForm({
    initialValues: {
      name: node?.name ?? '',
      prefix: node?.prefix ?? '',
      dialect: node ? [node.type, node.apiType].filter(Boolean).join(' ') : 'openai-compatible chat',
      baseUrl: node?.baseUrl ?? '',
      apiVersion: node?.apiVersion ?? '',
      allowPrivateAddress: node?.allowPrivateAddress ?? false,
    },
    validate: {
      name: isNotEmpty(t('Give it a name')),
      prefix: matches(/^[a-z0-9][a-z0-9._-]{0,63}$/, t('Lower-case letters, digits and . _ - only')),
      baseUrl: matches(/^\s*https?:\/\/\S+\s*$/, t('An http or https address')),
    },
  });
  const save = useMutation({
    mutationFn: ({ dialect, apiVersion, ...rest }: typeof form.values) => {
      const [type, apiType] = dialect.split(' ');
      const written = apiVersion.trim();
      const version = isAzure(dialect) && (written || node?.apiVersion) ? { apiVersion: written } : {};
      const body = { ...rest, ...version, type, apiType };
      const query = { wait: 'applied' } as const;
      return node
        ? settle<unknown>(api.PATCH('/api/provider-nodes/{id}', { params: { path: { id: node.id }, query }, body }))
        : settle<unknown>(api.POST('/api/provider-nodes', { params: { query }, body }));
    },
    onMutate: () => setLeft(null),
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('{name} saved', { name }), applied);
      onSaved();
      onClose();
    },
    onError: (error) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], Object.keys(form.values));
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) setLeft(error);
    },
  });
  // a stored one stays of its type: what its connections say was said in it
  const choices = node ? dialects.filter(({ value }) => typeOf(value) === node.type) : dialects;

  return (
    <Dialog onClose={onClose} title={node ? t('Edit {name}', { name: node.name }) : t('Add endpoint')}>
      <form onSubmit={form.onSubmit((values) => save.mutate(values))}>
        <Stack>
          <TextInput label={t('Name')} placeholder={t('GPU server')} data-autofocus {...form.getInputProps('name')} />
          <TextInput
            label={t('Prefix')}
            description={t('Clients write it before the model: prefix/model.')}
            placeholder={t('gpu')}
            {...form.getInputProps('prefix')}
          />
          <Select label={t('Type')} data={choices} allowDeselect={false} disabled={choices.length < 2} {...form.getInputProps('dialect')} />
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
          {left !== null && (
            <Alert color="red" title={t('That did not work')}>
              <FailureText error={left} />
            </Alert>
          )}
          <Button type="submit" loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
