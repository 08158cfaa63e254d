import { Button, Group, PasswordInput, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { ApiFailure, api, unwrap } from '../../api/client';
import { showApplied, showFailure } from '../../parts/failure';
import { fieldErrors, fieldPaths } from '../../parts/field-errors';
import { StepHeading } from './heading';
import { setupQuery } from './state';

const EMPTY = { currentPassword: '', password: '' };

/** Only where the first password was drawn by the gateway, and printed. */
export function PasswordStep({ onNext }: { onNext: () => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: EMPTY,
    validate: {
      currentPassword: (value) => (value ? null : t('The one that was printed at the start')),
      password: (value) => (value ? null : t('Choose one')),
    },
  });
  const change = useMutation({
    mutationFn: (body: typeof EMPTY) => unwrap(api.PATCH('/api/settings/require-login', { body })),
    onSuccess: () => {
      showApplied(t('Password changed'), null);
      void client.invalidateQueries({ queryKey: setupQuery.queryKey });
      onNext();
    },
    onError: (error) => {
      const { errors } = fieldErrors(error instanceof ApiFailure ? error.details : [], fieldPaths(EMPTY));
      // a wrong password is about no field of the body, but there is only one it can be about
      if (error instanceof ApiFailure && error.code === 'AUTH_002') form.setErrors({ currentPassword: error.message });
      else if (Object.keys(errors).length > 0) form.setErrors(errors);
      else showFailure(error);
    },
  });
  return (
    <Stack>
      <StepHeading title={t('A password of your own')}>
        {t('The gateway drew the first one and printed it where it was started, where others may read it.')}
      </StepHeading>
      <form onSubmit={form.onSubmit((values) => change.mutate(values))} aria-label={t('Password')}>
        <Stack maw={420}>
          <PasswordInput
            label={t('Printed password')}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': t('Show the printed password') }}
            {...form.getInputProps('currentPassword')}
          />
          <PasswordInput
            label={t('New password')}
            description={t('At least 8 characters.')}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': t('Show the new password') }}
            {...form.getInputProps('password')}
          />
          <Group>
            <Button type="submit" loading={change.isPending}>
              {t('Change it')}
            </Button>
            <Button variant="default" onClick={onNext}>
              {t('Keep the printed one')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Stack>
  );
}
