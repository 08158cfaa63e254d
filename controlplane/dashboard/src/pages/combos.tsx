import { Button, Stack } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../i18n';
import { api, unwrap } from '../api/client';
import { Empty, Loaded, PageHeader } from '../parts/states';
import { ComboCard } from './combos/card';
import { ComboEditor, type Edited } from './combos/editor';
import { healthQuery } from './combos/health';

export function CombosPage() {
  const client = useQueryClient();
  const [edited, setEdited] = useState<Edited | null>(null);
  const query = useQuery({ queryKey: ['combos'], queryFn: () => unwrap(api.GET('/api/combos')) });
  const health = useQuery(healthQuery);
  const defaults = useQuery({ queryKey: ['settings', 'combos'], queryFn: () => unwrap(api.GET('/api/settings/combo-defaults')) });
  const refresh = () => client.invalidateQueries({ queryKey: ['combos'] });
  const fresh: Edited = { name: '', models: [], strategy: defaults.data?.comboDefaults.strategy ?? 'priority', config: {} };

  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEdited(fresh)}>
      {t('New combo')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('Combos')} hint={t('One name for several models. The first that answers wins; the others wait in order.')} action={add} />
      <Loaded
        query={query}
        empty={({ combos }) =>
          combos.length === 0 && (
            <Empty title={t('No combo yet')} hint={t('Name one, list models in the order to try, and use its name as a model.')} action={add} />
          )
        }
      >
        {({ combos }) => (
          <Stack>
            {combos.map((combo) => (
              <ComboCard key={combo.id} combo={combo} health={health.data} onEdit={setEdited} onChanged={refresh} />
            ))}
          </Stack>
        )}
      </Loaded>
      {edited && <ComboEditor edited={edited} onClose={() => setEdited(null)} onSaved={refresh} />}
    </>
  );
}
