import { NumberInput, Select, SimpleGrid, Switch, TagsInput, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { t } from '../../i18n';
import { api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { Loaded } from '../../parts/states';
import { SettingForm } from '../../parts/setting-form';
import { Section } from './group';
import { Rows } from '../../parts/rows';

type Settings = components['schemas']['SettingsView'];
type Body = components['schemas']['SettingsBody'];

const strategies = [
  { value: 'fill-first', label: t('the first one that works') },
  { value: 'round-robin', label: t('one after the other') },
  { value: 'p2c', label: t('the less busy of two') },
  { value: 'random', label: t('any') },
  { value: 'least-used', label: t('the least used') },
  { value: 'cost-optimized', label: t('the cheapest') },
];

const save = (body: Body) => settle(api.PATCH('/api/settings', { params: { query: { wait: 'applied' } }, body }));

/** What `/api/settings` holds, in the parts that belong together. */
export function GeneralSettings() {
  const query = useQuery({ queryKey: ['settings', 'general'], queryFn: () => unwrap(api.GET('/api/settings')) });
  return (
    <Loaded query={query}>
      {(settings) => (
        <>
          <Access key={`access ${settings.configRevision}`} settings={settings} />
          <Routing key={`routing ${settings.configRevision}`} settings={settings} />
          <Cache key={`cache ${settings.configRevision}`} settings={settings} />
          <Bodies key={`bodies ${settings.configRevision}`} settings={settings} />
        </>
      )}
    </Loaded>
  );
}

function Access({ settings: { requireAuthForModels, budgetTimezone, enableSocks5Proxy } }: { settings: Settings }) {
  return (
    <Section title={t('General')} hint={t('What holds for the whole gateway.')} role="admin">
      <SettingForm title={t('General')} values={{ requireAuthForModels, budgetTimezone, enableSocks5Proxy }} save={save}>
        {(form) => (
          <>
            <TextInput
              label={t('Time zone of budgets')}
              description={t('Where days, weeks and months begin, such as UTC or Europe/Berlin.')}
              {...form.getInputProps('budgetTimezone')}
            />
            <Switch
              label={t('Listing models takes an API key')}
              {...form.getInputProps('requireAuthForModels', { type: 'checkbox' })}
            />
            <Switch label={t('Allow SOCKS5 proxies')} {...form.getInputProps('enableSocks5Proxy', { type: 'checkbox' })} />
          </>
        )}
      </SettingForm>
    </Section>
  );
}

function Routing({ settings }: { settings: Settings }) {
  const { fallbackStrategy, stickyRoundRobinLimit, sessionAffinity, blockedProviders, hedging, wildcardAliases } = settings;
  return (
    <Section title={t('Routing')} hint={t('Which account of a provider answers, and what names lead where.')} role="admin">
      <SettingForm
        title={t('Routing')}
        values={{ fallbackStrategy, stickyRoundRobinLimit, sessionAffinity, blockedProviders, hedging, wildcardAliases }}
        save={save}
      >
        {(form) => (
          <>
            <Select label={t('Account to use')} data={strategies} allowDeselect={false} {...form.getInputProps('fallbackStrategy')} />
            <NumberInput
              label={t('Requests in a row')}
              description={t("That one account takes before the next one's turn, when they take turns.")}
              allowDecimal={false}
              {...form.getInputProps('stickyRoundRobinLimit')}
            />
            <Switch
              label={t('Keep a conversation with one account')}
              {...form.getInputProps('sessionAffinity', { type: 'checkbox' })}
            />
            <TagsInput label={t('Blocked providers')} description={t('They are hidden, and nothing is sent to them.')} {...form.getInputProps('blockedProviders')} />
            <Switch
              label={t('Ask a second time beside a request that takes unusually long')}
              {...form.getInputProps('hedging.enabled', { type: 'checkbox' })}
            />
            <SimpleGrid cols={{ base: 1, xs: 2 }}>
              <NumberInput label={t('At most, % of requests')} {...form.getInputProps('hedging.maxSharePercent')} />
              <NumberInput label={t('Not before, ms')} allowDecimal={false} {...form.getInputProps('hedging.minDelayMs')} />
            </SimpleGrid>
            <Rows
              label={t('Name patterns')}
              description={t('For names that are no combo, model or alias: * is any text.')}
              value={form.values.wildcardAliases}
              onChange={(rows) => form.setFieldValue('wildcardAliases', rows)}
              error={form.errors.wildcardAliases}
              blank={{ pattern: '', target: '' }}
              columns={[
                { name: 'pattern', label: t('Pattern') },
                { name: 'target', label: t('Leads to') },
              ]}
            />
          </>
        )}
      </SettingForm>
    </Section>
  );
}

function Cache({ settings }: { settings: Settings }) {
  const { semanticCacheEnabled, semanticCacheTtlMs, semanticCacheAbsentTemperatureIsZero } = settings;
  // a threshold that is left out is filled in by the API
  const semanticCacheRules = settings.semanticCacheRules.map((rule) => ({ ...rule, threshold: rule.threshold ?? 0.95 }));
  return (
    <Section title={t('Answer cache')} hint={t('A question that is asked again at temperature 0 is answered from the cache.')} role="admin">
      <SettingForm
        title={t('Answer cache')}
        values={{ semanticCacheEnabled, semanticCacheTtlMs, semanticCacheAbsentTemperatureIsZero, semanticCacheRules }}
        save={save}
      >
        {(form) => (
          <>
            <Switch label={t('Answer from the cache')} {...form.getInputProps('semanticCacheEnabled', { type: 'checkbox' })} />
            <NumberInput label={t('An answer is kept for, ms')} allowDecimal={false} {...form.getInputProps('semanticCacheTtlMs')} />
            <Switch
              label={t('Also when a request names no temperature')}
              {...form.getInputProps('semanticCacheAbsentTemperatureIsZero', { type: 'checkbox' })}
            />
            <Rows
              label={t('Same question in other words')}
              description={t('Requests for these models are compared by meaning; the first rule that fits counts.')}
              value={form.values.semanticCacheRules}
              onChange={(rows) => form.setFieldValue('semanticCacheRules', rows)}
              error={form.errors.semanticCacheRules}
              blank={{ model: '', embeddingModel: '', threshold: 0.95 }}
              columns={[
                { name: 'model', label: t('Model') },
                { name: 'embeddingModel', label: t('Embedding model') },
                { name: 'threshold', label: t('Likeness') },
              ]}
            />
          </>
        )}
      </SettingForm>
    </Section>
  );
}

function Bodies({ settings: { captureBodies, captureBodiesPercent, bodyRetentionDays } }: { settings: Settings }) {
  return (
    <Section
      title={t('Bodies of requests')}
      hint={t(
        'What clients send and what they get, for administrators to read on the page of a request; every reading is in the audit log. Passwords, keys and tokens that are recognised are taken out, and of each body the first 8192 characters are kept. Keys that are not logged are left out.',
      )}
      role="admin"
    >
      <SettingForm title={t('Bodies of requests')} values={{ captureBodies, captureBodiesPercent, bodyRetentionDays }} save={save}>
        {(form) => (
          <>
            <Switch label={t('Keep bodies')} {...form.getInputProps('captureBodies', { type: 'checkbox' })} />
            {/* one of them has a line more above it */}
            <SimpleGrid cols={{ base: 1, xs: 2 }} style={{ alignItems: 'end' }}>
              <NumberInput label={t('Of % of requests')} allowDecimal={false} {...form.getInputProps('captureBodiesPercent')} />
              <NumberInput
                label={t('For so many days')}
                description={t('No longer than the log of requests.')}
                allowDecimal={false}
                {...form.getInputProps('bodyRetentionDays')}
              />
            </SimpleGrid>
          </>
        )}
      </SettingForm>
    </Section>
  );
}
