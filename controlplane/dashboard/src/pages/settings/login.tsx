import { PasswordInput, Stack, Switch } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, settle, unwrap } from '../../api/client';
import { Loaded } from '../../parts/states';
import { Section, SettingForm } from './group';

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
  const query = useQuery({ queryKey: ['settings', 'login'], queryFn: () => unwrap(api.GET('/api/settings/require-login')) });
  return (
    <Section title="Login" hint="Whether the dashboard asks who you are, and your own password." role="admin">
      <Loaded query={query}>
        {({ requireLogin }) => (
          <SettingForm
            key={query.dataUpdatedAt}
            title="Login"
            values={{ requireLogin, password: '', currentPassword: '' }}
            save={(values) => save(values, requireLogin)}
          >
            {(form) => (
              <Stack>
                <Switch
                  label="Ask for a login"
                  description="Only a gateway that no other machine reaches may do without."
                  {...form.getInputProps('requireLogin', { type: 'checkbox' })}
                />
                <PasswordInput
                  label="New password"
                  description="At least 8 characters. Your other sessions end."
                  autoComplete="new-password"
                  visibilityToggleButtonProps={{ 'aria-label': 'Show the new password' }}
                  {...form.getInputProps('password')}
                />
                <PasswordInput
                  label="Current password"
                  description="Needed for either change."
                  autoComplete="current-password"
                  visibilityToggleButtonProps={{ 'aria-label': 'Show the current password' }}
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
