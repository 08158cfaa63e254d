import { Badge, Text } from '@mantine/core';
import type { components } from '../api/schema';
import { t } from '../i18n';

type Note = components['schemas']['TranslationNote'];

const MEANINGS: Record<Note['severity'], string> = { loss: t('lost'), synth: t('made up'), info: t('changed') };

/** What a provider gets other than the client said it. */
export function TranslationNotes({ notes }: { notes: Note[] }) {
  if (notes.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t('Nothing is lost.')}
      </Text>
    );
  }
  return notes.map(({ severity, field, detail }, at) => (
    <Text key={at} size="sm">
      <Badge variant="light" color={severity === 'loss' ? 'red' : 'gray'} tt="none" mr="xs">
        {MEANINGS[severity]}
      </Badge>
      <strong>{field}</strong>: {detail}
    </Text>
  ));
}
