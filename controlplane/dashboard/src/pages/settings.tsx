import { Stack } from '@mantine/core';
import { t } from '../i18n';
import { PageHeader } from '../parts/states';
import { AppearanceSettings } from './settings/appearance';
import { ComboSettings } from './settings/combos';
import { GeneralSettings } from './settings/general';
import { IpFilterSettings } from './settings/ip-filter';
import { LoginSettings } from './settings/login';
import { PromptSettings, ThinkingSettings } from './settings/models';
import { ProxySettings } from './settings/proxies';
import { SessionSettings } from './settings/session';

/** What holds for everybody. Each part is saved by itself. */
export function SettingsPage() {
  return (
    <>
      <PageHeader title={t('Settings')} hint={t('What holds for every key and every model. Each part is saved by itself.')} />
      <Stack maw={760}>
        <GeneralSettings />
        <ThinkingSettings />
        <PromptSettings />
        <ComboSettings />
        <ProxySettings />
        <IpFilterSettings />
        <LoginSettings />
        <SessionSettings />
        <AppearanceSettings />
      </Stack>
    </>
  );
}
