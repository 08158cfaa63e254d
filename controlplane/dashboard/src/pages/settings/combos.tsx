import { NumberInput, Select, SimpleGrid } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Loaded } from '../../parts/states';
import { Section, SettingForm } from './group';

type Config = components['schemas']['ComboConfig'];
type Defaults = components['schemas']['DefaultsView'];

/** Fields of a form, where empty is what the layer below says. */
type Values = Record<NumberField | SwitchField, string | number> & { strategy: string };

const numbers = [
  { name: 'maxRetries', label: 'Retries' },
  { name: 'retryDelayMs', label: 'Pause before a retry, ms' },
  { name: 'timeoutMs', label: 'Time for a member, ms' },
  { name: 'healthCheckTimeoutMs', label: 'Time for a test, ms' },
  { name: 'concurrencyPerModel', label: 'Requests of a member at a time' },
  { name: 'queueTimeoutMs', label: 'Wait for a member, ms' },
  { name: 'maxComboDepth', label: 'Levels of combos' },
] as const;
const switches = [
  { name: 'healthCheckEnabled', label: 'Pass over members that fail' },
  { name: 'trackMetrics', label: 'Count for metrics' },
] as const;
type NumberField = (typeof numbers)[number]['name'];
type SwitchField = (typeof switches)[number]['name'];

const strategies = ['priority', 'weighted', 'round-robin', 'random', 'least-used', 'cost-optimized'];
const ALL = 'all combos';

/** What combos share: for all of them, and over that for those of one provider. */
export function ComboSettings() {
  const [layer, setLayer] = useState(ALL);
  const query = useQuery({ queryKey: ['settings', 'combos'], queryFn: () => unwrap(api.GET('/api/settings/combo-defaults')) });
  const catalog = useQuery({ queryKey: ['catalog'], queryFn: () => unwrap(api.GET('/api/models/catalog')) });
  return (
    <Section title="Combo defaults" hint="What a combo does where it says nothing itself. An empty field is as built in, or as for all combos." role="operator">
      <Loaded query={query}>
        {(defaults) => (
          <>
            <Select
              label="For"
              description="One provider: for combos all of whose members are models of it."
              mb="md"
              searchable
              // some fifty options are made when they are looked at
              comboboxProps={{ keepMounted: false }}
              allowDeselect={false}
              data={[
                ALL,
                ...Object.values(catalog.data?.catalog ?? {}).map(({ id, provider }) => ({
                  value: id,
                  label: id in defaults.providerOverrides ? `${provider} (has its own)` : provider,
                })),
              ]}
              value={layer}
              onChange={(next) => next && setLayer(next)}
            />
            <SettingForm
              key={`${layer} ${JSON.stringify(defaults)}`}
              title="Combo defaults"
              values={valuesOf(defaults, layer)}
              within={layer === ALL ? 'comboDefaults' : `providerOverrides.${layer}`}
              save={(values) => settle(api.PATCH('/api/settings/combo-defaults', { params: { query: { wait: 'applied' } }, body: bodyOf(values, valuesOf(defaults, layer), layer) }))}
            >
              {(form) => (
                <SimpleGrid cols={{ base: 1, xs: 2 }}>
                  {layer === ALL && <Select label="Strategy of new combos" data={strategies} allowDeselect={false} {...form.getInputProps('strategy')} />}
                  {numbers.map(({ name, label }) => (
                    <NumberInput key={name} label={label} allowDecimal={false} {...form.getInputProps(name)} />
                  ))}
                  {switches.map(({ name, label }) => (
                    <Select key={name} label={label} placeholder="as usual" data={['yes', 'no']} clearable {...form.getInputProps(name)} />
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
  const config: Partial<Config> = layer === ALL ? comboDefaults : (providerOverrides[layer] ?? {});
  return {
    strategy: comboDefaults.strategy,
    ...(Object.fromEntries(numbers.map(({ name }) => [name, config[name] ?? ''])) as Record<NumberField, string | number>),
    ...(Object.fromEntries(switches.map(({ name }) => [name, config[name] == null ? '' : config[name] ? 'yes' : 'no'])) as Record<SwitchField, string>),
  };
}

/** What was changed; what was left as shown may be built in, and stays so. */
function bodyOf({ strategy, ...values }: Values, before: Values, layer: string): components['schemas']['DefaultsBody'] {
  const given = [
    ...numbers.map(({ name }) => [name, values[name] === '' ? null : Number(values[name])] as const),
    ...switches.map(({ name }) => [name, values[name] ? values[name] === 'yes' : null] as const),
  ];
  const config = Object.fromEntries(given.filter(([name]) => values[name] !== before[name]));
  return layer === ALL ? { comboDefaults: { ...config, strategy } } : { providerOverrides: { [layer]: config } };
}
