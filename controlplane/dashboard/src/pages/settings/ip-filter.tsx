import { Button, Group, NumberInput, Select, Stack, Switch, Table, TagsInput, Text, TextInput, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { modals } from '@mantine/modals';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { t } from '../../i18n';
import { ApiFailure, api, settle, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import { showApplied, showFailure } from '../../parts/failure';
import { when } from '../../parts/numbers';
import { Loaded } from '../../parts/states';
import { fieldErrors } from '../../parts/field-errors';
import { SettingForm } from '../../parts/setting-form';
import { Section } from './group';

type Body = components['schemas']['IpFilterBody'];
type Ban = components['schemas']['BanView'];

const modes = [
  { value: 'blacklist', label: t('keep out who is on the block list') },
  { value: 'whitelist', label: t('let in only who is on the allow list') },
  { value: 'whitelist-priority', label: t('keep out who is blocked, unless allowed') },
];

const save = (body: Body) => settle(api.PATCH('/api/settings/ip-filter', { params: { query: { wait: 'applied' } }, body }));

export function IpFilterSettings() {
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['settings', 'ip-filter'], queryFn: () => unwrap(api.GET('/api/settings/ip-filter')) });
  const force = useMutation({
    mutationFn: (body: Body) => save({ ...body, force: true }),
    onSuccess: ({ applied }) => showApplied(t('IP filter saved'), applied),
    onSettled: () => client.invalidateQueries({ queryKey: ['settings'] }),
  });

  /** Whoever would lock themselves out is asked; where they sit, somebody else may sit too. */
  function askBeforeLockout(error: unknown, body: Body): boolean {
    if (!(error instanceof ApiFailure) || error.code !== 'SELF_LOCKOUT') return false;
    modals.openConfirmModal({
      title: t('Shut yourself out?'),
      children: <Text size="sm">{error.message}</Text>,
      labels: { confirm: t('Save all the same'), cancel: t('Leave it') },
      confirmProps: { color: 'red' },
      onConfirm: () => force.mutate(body),
    });
    return true;
  }

  return (
    <Section
      title={t('IP filter')}
      hint={t('Who may reach the gateway, by address. Networks are written 10.0.0.0/8, patterns 10.0.*.*.')}
      role="admin"
    >
      <Loaded query={query}>
        {({ tempBans, ...lists }) => (
          <Stack gap="lg">
            <SettingForm key={JSON.stringify(lists)} title={t('IP filter')} values={lists} save={save} refused={askBeforeLockout}>
              {(form) => (
                <>
                  <Switch label={t('Filter by address')} {...form.getInputProps('enabled', { type: 'checkbox' })} />
                  <Select label={t('Mode')} data={modes} allowDeselect={false} {...form.getInputProps('mode')} />
                  <TagsInput label={t('Block list')} {...form.getInputProps('blacklist')} />
                  <TagsInput label={t('Allow list')} {...form.getInputProps('whitelist')} />
                </>
              )}
            </SettingForm>
            <Bans bans={tempBans} />
          </Stack>
        )}
      </Loaded>
    </Section>
  );
}

function Bans({ bans }: { bans: Ban[] }) {
  const client = useQueryClient();
  const form = useForm({ initialValues: { ip: '', minutes: 60, reason: '' } });
  const refresh = () => client.invalidateQueries({ queryKey: ['settings', 'ip-filter'] });
  const ban = useMutation({
    mutationFn: ({ ip, minutes, reason }: typeof form.values) =>
      save({ tempBan: { ip, durationMs: Number(minutes) * 60_000, ...(reason && { reason }) } }),
    onSuccess: () => {
      form.reset();
      return refresh();
    },
    onError: (error) => {
      const { errors, rest } = fieldErrors(error instanceof ApiFailure ? error.details : [], ['ip', 'durationMs', 'reason'], 'tempBan');
      form.setErrors({ ...errors, minutes: errors.durationMs });
      if (Object.keys(errors).length === 0 || rest.length > 0) showFailure(error);
    },
  });
  const lift = useMutation({ mutationFn: (ip: string) => save({ removeBan: ip }), onSettled: refresh });
  return (
    <Stack gap="sm">
      <Title order={3} size="h5">
        {t('Temporary bans')}
      </Title>
      {bans.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t('Nobody is banned. A ban holds at once, and ends by itself.')}
        </Text>
      ) : (
        <Table.ScrollContainer minWidth={420}>
          <Table>
            <Table.Tbody>
              {bans.map(({ ip, until, reason }) => (
                <Table.Tr key={ip}>
                  <Table.Td>{ip}</Table.Td>
                  <Table.Td>{until ? t('until {moment}', { moment: when(until) }) : ''}</Table.Td>
                  <Table.Td>{reason}</Table.Td>
                  <Table.Td ta="right">
                    <Button size="xs" variant="light" onClick={() => lift.mutate(ip)} aria-label={t('Let {ip} in', { ip })}>
                      {t('Let in')}
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <form onSubmit={form.onSubmit((values) => ban.mutate(values))} aria-label={t('Ban an address')}>
        <Group align="flex-start" gap="xs">
          <TextInput label={t('Address')} style={{ flex: '2 1 140px' }} {...form.getInputProps('ip')} />
          <NumberInput label={t('Minutes')} style={{ flex: '1 1 90px' }} {...form.getInputProps('minutes')} />
          <TextInput label={t('Reason')} placeholder={t('optional')} style={{ flex: '2 1 140px' }} {...form.getInputProps('reason')} />
          <Button type="submit" variant="default" mt={25} loading={ban.isPending}>
            {t('Ban')}
          </Button>
        </Group>
      </form>
    </Stack>
  );
}
