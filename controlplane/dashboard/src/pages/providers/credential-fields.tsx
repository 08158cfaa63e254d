import { PasswordInput, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { t } from '../../i18n';
import type { Catalog } from './groups';

/** What a connection says besides its key, where its provider has such things. */
export type Whereabouts = { region: string; project: string };
type Values = Whereabouts & { apiKey: string };

export const nowhere: Whereabouts = { region: '', project: '' };

const isAccount = (entry: Catalog[string] | undefined) => entry?.credential === 'service-account';

type Props<T> = {
  entry: Catalog[string] | undefined;
  form: UseFormReturnType<T>;
  /** The end of a key that is there already, and stays where no other is written. */
  stored?: string | undefined;
};

/** The fields a provider wants from whoever connects it, each as the provider names it. */
export function CredentialFields<T extends Values>({ entry, form, stored }: Props<T>) {
  const fields = entry?.fields ?? [];
  const hint = entry?.keyless ? t('Leave it empty if the server asks for none.') : entry?.credentialHint;
  const description = stored ? t('Empty: it stays {stored}.', { stored }) : hint;
  return (
    <>
      {isAccount(entry) ? (
        <Textarea
          label={t('Service account key (JSON)')}
          description={description}
          autosize
          minRows={3}
          maxRows={8}
          autoComplete="off"
          spellCheck={false}
          styles={{ input: { fontFamily: 'monospace' } }}
          {...form.getInputProps('apiKey')}
        />
      ) : (
        <PasswordInput
          label={t('Key')}
          description={description}
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': t('Show the key') }}
          {...form.getInputProps('apiKey')}
        />
      )}
      {fields.includes('project') && (
        <TextInput label={t('Project')} description={t('Empty: the one the service account belongs to.')} {...form.getInputProps('project')} />
      )}
      {fields.includes('region') && (
        <TextInput
          label={t('Region')}
          description={isAccount(entry) ? t('Empty: global.') : t('Empty: as the address says, else us-east-1.')}
          placeholder={isAccount(entry) ? 'europe-west4' : 'eu-central-1'}
          {...form.getInputProps('region')}
        />
      )}
    </>
  );
}

/** As the API takes them: only what the provider knows and somebody filled in. */
export function whereaboutsOf(entry: Catalog[string] | undefined, values: Whereabouts): Partial<Whereabouts> {
  const fields = entry?.fields ?? [];
  const said = Object.entries(values).filter(([name, value]) => fields.includes(name) && value.trim());
  return Object.fromEntries(said.map(([name, value]) => [name, value.trim()]));
}
