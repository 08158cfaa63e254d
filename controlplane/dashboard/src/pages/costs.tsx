import { Stack } from '@mantine/core';
import { t } from '../i18n';
import { PageHeader } from '../parts/states';
import { Budgets } from './costs/budgets';
import { Periods } from './costs/periods';
import { Prices } from './costs/prices';

/** What keys may spend, and what spending is counted by. */
export function CostsPage() {
  return (
    <>
      <PageHeader title={t('Costs')} hint={t('What each key may spend, and what models cost.')} />
      <Stack gap="xl">
        <Budgets />
        <Prices />
        <Periods />
      </Stack>
    </>
  );
}
