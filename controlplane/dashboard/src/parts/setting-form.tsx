import { Alert, Button, Group, Stack } from '@mantine/core';
import { type UseFormReturnType, useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { t } from '../i18n';
import { ApiFailure } from '../api/client';
import { FailureText, showApplied } from './failure';
import { fieldErrors, fieldPaths } from './field-errors';

type Props<T> = {
  title: string;
  /** As stored. */
  values: T;
  save: (values: T) => Promise<{ applied: string | null }>;
  /** What the API calls the part that these values are in. */
  within?: string;
  /** Deals with a refusal by itself: true if it did. */
  refused?: (error: unknown, values: T) => boolean;
  children: (form: UseFormReturnType<T>) => ReactNode;
};

/** Settings that are saved together. What the API refuses is said at the field that it is about. */
export function SettingForm<T extends object>({ title, values, save, within, refused, children }: Props<T>) {
  const client = useQueryClient();
  const [left, setLeft] = useState<unknown>(null);
  const form = useForm<T>({ initialValues: values });
  const change = useMutation({
    mutationFn: save,
    onMutate: () => setLeft(null),
    onSuccess: ({ applied }) => {
      form.resetDirty();
      showApplied(t('{title} saved', { title }), applied);
      return client.invalidateQueries({ queryKey: ['settings'] });
    },
    onError: (error, sent) => {
      if (refused?.(error, sent)) return;
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], fieldPaths(values), within);
      form.setErrors(errors);
      if (Object.keys(errors).length === 0 || rest.length > 0) setLeft(error);
    },
  });
  function undo() {
    form.reset();
    setLeft(null);
  }
  const dirty = form.isDirty();
  return (
    <form onSubmit={form.onSubmit((sent) => change.mutate(sent))} aria-label={title}>
      <Stack>
        {children(form)}
        {left !== null && (
          <Alert color="red" title={t('That did not work')}>
            <FailureText error={left} />
          </Alert>
        )}
        <Group>
          <Button type="submit" loading={change.isPending} disabled={!dirty}>
            {t('Save')}
          </Button>
          <Button variant="default" disabled={!dirty || change.isPending} onClick={undo}>
            {t('Undo')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
