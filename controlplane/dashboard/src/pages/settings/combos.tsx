import { NumberInput, Select, SimpleGrid } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Loaded } from '../../parts/states';
import { type Values as ConfigValues, choices, configOf, numbers, switches, valuesOf as configValues } from '../combos/config';
import { strategies } from '../combos/strategies';
import { SettingForm } from '../../parts/setting-form';
import { Section } from './group';

type Defaults = components['schemas']['DefaultsView'];

type Values = ConfigValues & { strategy: string };

/** Stands for no provider. */
const ALL = '*';

/** What combos share: for all of them, and over that for those of one provider. */
export function ComboSettings() {
  const [layer, setLayer] = useState(ALL);
  const query = useQuery({ queryKey: ['settings', 'combos'], queryFn: () => unwrap(api.GET('/api/settings/combo-defaults')) });
  const catalog = useQuery({ queryKey: ['catalog'], queryFn: () => unwrap(api.GET('/api/models/catalog')) });
  return (
    <Section title={t('Combo defaults')} hint={t('What a combo does where it says nothing itself. An empty field is as built in, or as for all combos.')} role="operator">
      <Loaded query={query}>
        {(defaults) => (
          <>
            <Select
              label={t('For')}
              description={t('One provider: for combos all of whose members are models of it.')}
              mb="md"
              searchable
              // some fifty options are made when they are looked at
              comboboxProps={{ keepMounted: false }}
              allowDeselect={false}
              data={[
                { value: ALL, label: t('all combos') },
                ...Object.values(catalog.data?.catalog ?? {}).map(({ id, provider }) => ({
                  value: id,
                  label: id in defaults.providerOverrides ? t('{provider} (has its own)', { provider }) : provider,
                })),
              ]}
              value={layer}
              onChange={(next) => next && setLayer(next)}
            />
            <SettingForm
              key={`${layer} ${JSON.stringify(defaults)}`}
              title={t('Combo defaults')}
              values={valuesOf(defaults, layer)}
              within={layer === ALL ? 'comboDefaults' : `providerOverrides.${layer}`}
              save={(values) => settle(api.PATCH('/api/settings/combo-defaults', { params: { query: { wait: 'applied' } }, body: bodyOf(values, valuesOf(defaults, layer), layer) }))}
            >
              {(form) => (
                <SimpleGrid cols={{ base: 1, xs: 2 }}>
                  {layer === ALL && <Select label={t('Strategy of new combos')} data={strategies} allowDeselect={false} {...form.getInputProps('strategy')} />}
                  {numbers.map(({ name, label }) => (
                    <NumberInput key={name} label={label} allowDecimal={false} {...form.getInputProps(name)} />
                  ))}
                  {switches.map(({ name, label }) => (
                    <Select key={name} label={label} placeholder={t('as usual')} data={choices} clearable {...form.getInputProps(name)} />
                  ))}
                </SimpleGrid>
              )}
            </SettingForm>
          </>
        )}
      </Loaded>
    </Section>
  );
}

function valuesOf({ comboDefaults, providerOverrides }: Defaults, layer: string): Values {
  return { strategy: comboDefaults.strategy, ...configValues(layer === ALL ? comboDefaults : (providerOverrides[layer] ?? {})) };
}

/** What was changed; what was left as shown may be built in, and stays so. */
function bodyOf({ strategy, ...values }: Values, before: Values, layer: string): components['schemas']['DefaultsBody'] {
  const config = Object.fromEntries(Object.entries(configOf(values)).filter(([name]) => values[name as keyof ConfigValues] !== before[name as keyof ConfigValues]));
  return layer === ALL ? { comboDefaults: { ...config, strategy } } : { providerOverrides: { [layer]: config } };
}
