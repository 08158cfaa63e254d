import { SegmentedControl, Select, Stack, Text, useMantineColorScheme } from '@mantine/core';
import { t } from '../../i18n';
import { type Language, chooseLanguage, chosenLanguage, languages } from '../../i18n/language';
import { Section } from '../../parts/section';

/** Stands for no choice. */
const BROWSER = 'browser';

/** How the dashboard looks to whoever sits here: kept in this browser, whatever role one has. */
export function AppearanceSettings() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  function speak(chosen: string) {
    chooseLanguage(chosen === BROWSER ? null : (chosen as Language));
    // texts are read once, when the page is loaded
    window.location.reload();
  }
  return (
    <Section title={t('Appearance')} hint={t('For this browser alone. The page is loaded again when the language changes.')}>
      <Stack>
        <Select
          label={t('Language')}
          allowDeselect={false}
          data={[{ value: BROWSER, label: t('as the browser prefers') }, ...Object.entries(languages).map(([value, label]) => ({ value, label }))]}
          value={chosenLanguage() ?? BROWSER}
          onChange={(chosen) => chosen && speak(chosen)}
        />
        <div>
          <Text size="sm" fw={500} mb={4}>
            {t('Colours')}
          </Text>
          <SegmentedControl
            aria-label={t('Colours')}
            value={colorScheme}
            onChange={(scheme) => setColorScheme(scheme as typeof colorScheme)}
            data={[
              { value: 'auto', label: t('as the system') },
              { value: 'light', label: t('light') },
              { value: 'dark', label: t('dark') },
            ]}
          />
        </div>
      </Stack>
    </Section>
  );
}
