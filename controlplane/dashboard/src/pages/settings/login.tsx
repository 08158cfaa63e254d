import { PasswordInput, Stack, Switch } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import { Loaded } from '../../parts/states';
import { SettingForm } from '../../parts/setting-form';
import { Section } from './group';

type Values = { requireLogin: boolean; password: string; currentPassword: string };

/** What was left empty is not meant to change. */
function save({ requireLogin, password, currentPassword }: Values, stored: boolean) {
  const body = {
    ...(requireLogin !== stored && { requireLogin }),
    ...(password && { password }),
    ...(currentPassword && { currentPassword }),
  };
  return settle(api.PATCH('/api/settings/require-login', { body }));
}

export function LoginSettings() {
  // passwords that were saved do not stay in their fields; those that are being typed do, whatever is loaded meanwhile
  const [saved, setSaved] = useState(0);
  const query = useQuery({ queryKey: ['settings', 'login'], queryFn: () => unwrap(api.GET('/api/settings/require-login')) });
  return (
    <Section title={t('Login')} hint={t('Whether the dashboard asks who you are, and your own password.')} role="admin">
      <Loaded query={query}>
        {({ requireLogin }) => (
          <SettingForm
            key={`${requireLogin} ${saved}`}
            title={t('Login')}
            values={{ requireLogin, password: '', currentPassword: '' }}
            save={async (values) => {
              const done = await save(values, requireLogin);
              setSaved((times) => times + 1);
              return done;
            }}
          >
            {(form) => (
              <Stack>
                <Switch
                  label={t('Ask for a login')}
                  description={t('Only a gateway that no other machine reaches may do without.')}
                  {...form.getInputProps('requireLogin', { type: 'checkbox' })}
                />
                <PasswordInput
                  label={t('New password')}
                  description={t('At least 8 characters. Your other sessions end.')}
                  autoComplete="new-password"
                  visibilityToggleButtonProps={{ 'aria-label': t('Show the new password') }}
                  {...form.getInputProps('password')}
                />
                <PasswordInput
                  label={t('Current password')}
                  description={t('Needed for either change.')}
                  autoComplete="current-password"
                  visibilityToggleButtonProps={{ 'aria-label': t('Show the current password') }}
                  {...form.getInputProps('currentPassword')}
                />
              </Stack>
            )}
          </SettingForm>
        )}
      </Loaded>
    </Section>
  );
}
