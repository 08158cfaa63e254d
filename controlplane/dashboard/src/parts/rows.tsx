import { ActionIcon, Button, Group, Input, NumberInput, Stack, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { t } from '../i18n';

type Props<T> = {
  label: string;
  description: string;
  value: T[];
  onChange: (rows: T[]) => void;
  error: ReactNode;
  blank: T;
  columns: { name: keyof T & string; label: string }[];
};

/** A short list of equal things, each in a row of fields. */
export function Rows<T extends Record<string, string | number>>({ label, description, value, onChange, error, blank, columns }: Props<T>) {
  const put = (at: number, change: Partial<T>) => onChange(value.map((row, index) => (index === at ? { ...row, ...change } : row)));
  return (
    <div role="group" aria-label={label}>
      <Input.Label>{label}</Input.Label>
      <Input.Description>{description}</Input.Description>
      <Stack gap="xs" mt="xs">
        {value.map((row, at) => (
          <Group key={at} gap="xs" wrap="nowrap">
            {columns.map((column) => {
              const shared = { 'aria-label': `${column.label} ${at + 1}`, placeholder: column.label, style: { flex: 1 } };
              const given: string | number = row[column.name] ?? '';
              return typeof given === 'number' ? (
                <NumberInput
                  key={column.name}
                  {...shared}
                  value={given}
                  onChange={(next) => put(at, { [column.name]: Number(next) } as Partial<T>)}
                />
              ) : (
                <TextInput
                  key={column.name}
                  {...shared}
                  value={given}
                  onChange={(event) => put(at, { [column.name]: event.currentTarget.value } as Partial<T>)}
                />
              );
            })}
            <ActionIcon
              variant="subtle"
              color="red"
              aria-label={t('Remove {list} {place}', { list: label.toLowerCase(), place: at + 1 })}
              onClick={() => onChange(value.filter((_, index) => index !== at))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        {error && <Input.Error>{error}</Input.Error>}
        <Button
          variant="light"
          size="xs"
          w="fit-content"
          leftSection={<IconPlus size={14} />}
          onClick={() => onChange([...value, blank])}
          aria-label={t('Add to {list}', { list: label.toLowerCase() })}
        >
          {t('Add')}
        </Button>
      </Stack>
    </div>
  );
}
