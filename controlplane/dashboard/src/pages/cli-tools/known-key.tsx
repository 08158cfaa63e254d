import { Select } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { ApiFailure, api, unwrap } from '../../api/client';
import { CHOICES } from '../../parts/filter-form';
import { t } from '../../i18n';
import { sentence } from '../../parts/sentence';

/** One of the keys there are. Of most only a hash is kept; the control plane says so when it has nothing to show. */
export function KnownKey({ onKey }: { onKey: (key: string) => void }) {
  const keys = useQuery({ queryKey: ['keys'], queryFn: () => unwrap(api.GET('/api/keys')) });
  const reveal = useMutation({
    mutationFn: (id: string) => unwrap(api.GET('/api/keys/{id}/reveal', { params: { path: { id } } })),
    onSuccess: ({ key }) => onKey(key),
    // said at the field
    onError: () => undefined,
  });
  const usable = (keys.data?.keys ?? []).filter((key) => key.isActive);
  if (usable.length === 0) return null;
  return (
    <Select
      label={t('A key that exists')}
      description={t('Can be put in if a copy of it is kept, which takes a control plane started with API_KEY_REVEAL=true.')}
      placeholder={t('choose by name')}
      searchable
      limit={CHOICES}
      comboboxProps={{ keepMounted: false }}
      data={usable.map(({ id, name, key }) => ({ value: id, label: `${name} (${key})` }))}
      value={reveal.variables ?? null}
      onChange={(id) => id && reveal.mutate(id)}
      error={reveal.error && (reveal.error instanceof ApiFailure ? sentence(reveal.error.message) : String(reveal.error))}
    />
  );
}
