import { Button, Center, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { t } from '../i18n';
import { amount } from './numbers';
import { hasWords } from './search-text';

/** A browser draws thousands of rows for seconds, and nobody reads them. */
const SHOWN = 50;

type Props<T> = {
  items: T[];
  /** What one is found by. */
  wordsOf: (item: T) => string;
  /** Of the field for these words. */
  label: string;
  children: (shown: T[]) => ReactNode;
};

/** The first rows of a list that may be long, and a way to the others. A list that is short is shown as it is. */
export function Many<T>({ items, wordsOf, label, children }: Props<T>) {
  const [words, setWords] = useState('');
  const [room, setRoom] = useState(SHOWN);
  if (items.length <= SHOWN) return children(items);
  const found = items.filter((item) => hasWords(wordsOf(item), words));
  return (
    <Stack>
      <TextInput
        type="search"
        label={label}
        maw={320}
        value={words}
        onChange={(event) => {
          setWords(event.currentTarget.value);
          setRoom(SHOWN);
        }}
      />
      {found.length > 0 ? children(found.slice(0, room)) : <Text c="dimmed">{t('None has these words in its name.')}</Text>}
      <Center>
        <Stack gap="xs" align="center">
          <Text size="sm" c="dimmed" role="status">
            {t('{shown} of {all}', { shown: amount(Math.min(room, found.length)), all: amount(found.length) })}
          </Text>
          {found.length > room && (
            <Button variant="default" onClick={() => setRoom(room + SHOWN)}>
              {t('Show more')}
            </Button>
          )}
        </Stack>
      </Center>
    </Stack>
  );
}
