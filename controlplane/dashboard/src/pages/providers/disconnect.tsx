import { Select } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { t } from '../../i18n';
import type { Connection } from './groups';

/** What becomes of a call whose client has left. */
export type OnDisconnect = 'cancel' | 'drain';

export const policyOf = (connection: Connection): OnDisconnect => (connection.providerSpecificData.onDisconnect === 'drain' ? 'drain' : 'cancel');

export function DisconnectField<T extends { onDisconnect: OnDisconnect }>({ form }: { form: UseFormReturnType<T> }) {
  return (
    <Select
      label={t('When a client leaves')}
      description={t(
        'Ending the call saves tokens, and what it cost is an estimate. Reading on pays for the whole answer, knows its cost from the provider, and keeps the account busy meanwhile.',
      )}
      data={[
        { value: 'cancel', label: t('End its call') },
        { value: 'drain', label: t('Read the answer to its end') },
      ]}
      allowDeselect={false}
      {...form.getInputProps('onDisconnect')}
    />
  );
}
