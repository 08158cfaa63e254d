import { Alert, Button, Stack } from '@mantine/core';
import { type UseFormReturnType, useForm } from '@mantine/form';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { ApiFailure, api, settle } from '../../api/client';
import { callableModelsQuery } from '../../parts/callable-models';
import { ClientSnippets } from '../../parts/client-snippets';
import { Dialog } from '../../parts/dialog';
import { FailureText, showApplied } from '../../parts/failure';
import { fieldErrors } from '../../parts/field-errors';
import { Snippet } from '../../parts/snippet';
import { FIELDS, KeyFields } from './fields';
import { type Key, type KeyValues, bodyOf, changesOf, newKey, valuesOf } from './values';

const wait = { query: { wait: 'applied' } } as const;

function useKeyForm(initialValues: KeyValues) {
  const form = useForm<KeyValues>({
    initialValues,
    validate: {
      name: (value) => (value.trim() ? null : t('A name tells you later whose key this is')),
      scopes: (value) => (value.length > 0 ? null : t('Choose at least one')),
    },
  });
  const [left, setLeft] = useState<unknown>(null);
  /** What the API refused is said at its field, and what belongs to none below them. */
  function refused(error: unknown) {
    const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], FIELDS);
    form.setErrors(errors);
    setLeft(Object.keys(errors).length === 0 || rest.length > 0 ? error : null);
  }
  return { form, left, refused, begin: () => setLeft(null) };
}

type BodyProps = { form: UseFormReturnType<KeyValues>; left: unknown; act: string; pending: boolean; unfolded?: boolean; onSubmit: (values: KeyValues) => void };

function KeyForm({ form, left, act, pending, unfolded = false, onSubmit }: BodyProps) {
  return (
    <form onSubmit={form.onSubmit(onSubmit)}>
      <Stack>
        <KeyFields form={form} unfolded={unfolded} />
        {left !== null && (
          <Alert color="red" title={t('That did not work')}>
            <FailureText error={left} />
          </Alert>
        )}
        <Button type="submit" loading={pending}>
          {act}
        </Button>
      </Stack>
    </form>
  );
}

export function NewKey({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const { form, left, refused, begin } = useKeyForm(newKey);
  const create = useMutation({
    mutationFn: (values: KeyValues) => settle(api.POST('/api/keys', { params: wait, body: bodyOf(values) })),
    onMutate: begin,
    onSuccess: ({ applied }) => {
      showApplied(t('Key created'), applied);
      onCreated();
    },
    onError: refused,
  });
  return (
    <Dialog onClose={onClose} title={t('New API key')} size="lg">
      {create.data ? (
        <Shown text={create.data.data.key} onClose={onClose} />
      ) : (
        <KeyForm form={form} left={left} act={t('Create')} pending={create.isPending} onSubmit={create.mutate} />
      )}
    </Dialog>
  );
}

export function EditKey({ stored, onClose, onSaved }: { stored: Key; onClose: () => void; onSaved: () => void }) {
  // what it was when the dialog opened: the list goes on behind it
  const [before] = useState(() => valuesOf(stored));
  const { form, left, refused, begin } = useKeyForm(before);
  const save = useMutation({
    mutationFn: (values: KeyValues) =>
      settle(api.PATCH('/api/keys/{id}', { params: { path: { id: stored.id }, ...wait }, body: changesOf(values, before) })),
    onMutate: begin,
    onSuccess: ({ applied }, { name }) => {
      showApplied(t('{name} saved', { name }), applied);
      onClose();
    },
    onError: refused,
    onSettled: onSaved,
  });
  return (
    <Dialog onClose={onClose} title={t('Edit {name}', { name: stored.name })} size="lg">
      <KeyForm form={form} left={left} act={t('Save')} pending={save.isPending} unfolded onSubmit={save.mutate} />
    </Dialog>
  );
}

/** A key that can be copied. `kept`: it can be looked at again. */
export function ShownKey({ title, text, kept = false, onClose }: { title: string; text: string; kept?: boolean; onClose: () => void }) {
  return (
    <Dialog onClose={onClose} title={title} size="lg">
      <Shown text={text} kept={kept} onClose={onClose} />
    </Dialog>
  );
}

function Shown({ text, kept = false, onClose }: { text: string; kept?: boolean; onClose: () => void }) {
  const models = useQuery(callableModelsQuery);
  return (
    <Stack>
      <Alert color="yellow">
        {kept ? t('Whoever has it can do what it may. That it was shown is in the audit log.') : t('Copy it now. It is not stored and cannot be shown again.')}
      </Alert>
      <Snippet text={text} label={t('API key')} />
      <ClientSnippets origin={window.location.origin} apiKey={text} model={models.data?.[0] ?? 'demo/demo'} />
      <Button onClick={onClose}>{t('Done')}</Button>
    </Stack>
  );
}
