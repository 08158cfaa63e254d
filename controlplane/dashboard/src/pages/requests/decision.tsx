import { Alert, Code, List, Stack, Table, Text } from '@mantine/core';
import { t } from '../../i18n';
import type { components } from '../../api/schema';
import { useProviderName } from '../../parts/names';
import { dollars, percent, when } from '../../parts/numbers';
import { Section } from '../../parts/section';

type Explanation = components['schemas']['ExplanationView'];
type Candidate = components['schemas']['CandidateView'];
type Group = components['schemas']['GroupView'];
type Entry = components['schemas']['DecisionEntry'];

/** What kept a candidate out. */
const VERDICTS: Record<string, string> = {
  resting: t('passed over: it rests after a failure'),
  'rate-limited': t('passed over: its provider takes no more for now'),
  'breaker-open': t('passed over: its provider failed again and again'),
  'not-permitted': t('passed over: the API key may not use it'),
  'refused-by-policy': t('passed over: a policy refuses it'),
};

/** Why this account and no other: everything that could have answered, and in which order it was tried. */
export function Decision({ explanation: { decision, replay } }: { explanation: Explanation }) {
  const provider = useProviderName();
  if (!decision)
    return (
      <Section title={t('Decision')}>
        <Text size="sm">{t('There was nothing to choose: the request was answered or refused before.')}</Text>
      </Section>
    );
  const candidates = [...decision.candidates].sort((one, other) => place(one) - place(other) || one.number - other.number);
  return (
    <Section
      title={t('Decision')}
      hint={
        decision.session
          ? t('Among the accounts of one model: {strategy}, and a conversation stays where it began.', { strategy: decision.accountStrategy })
          : t('Among the accounts of one model: {strategy}.', { strategy: decision.accountStrategy })
      }
    >
      <Stack gap="sm">
        {decision.root && <Tree group={decision.root} />}
        <Table.ScrollContainer minWidth={620}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('Place')}</Table.Th>
                <Table.Th>{t('Account')}</Table.Th>
                <Table.Th>{t('Model')}</Table.Th>
                <Table.Th>{t('Why')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {candidates.map((candidate) => (
                <Table.Tr key={candidate.number}>
                  <Table.Td>{candidate.rank == null ? '–' : candidate.rank + 1}</Table.Td>
                  <Table.Td>{candidate.connectionName ?? candidate.connectionId}</Table.Td>
                  <Table.Td>
                    <Code>{`${provider(candidate.provider)}/${candidate.model}`}</Code>
                  </Table.Td>
                  <Table.Td>
                    {why(candidate)}
                    {facts(candidate).map((fact) => (
                      <Text size="xs" c="dimmed" key={fact}>
                        {fact}
                      </Text>
                    ))}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        {decision.omittedCandidates != null && <Text size="sm">{t('And {omittedCandidates} more that came later.', { omittedCandidates: decision.omittedCandidates })}</Text>}
        {replay && !replay.same && (
          <Alert color="red" title={t('Deciding again from the record gives something else')}>
            {replay.reason}
          </Alert>
        )}
        {replay?.same && (
          <Text size="xs" c="dimmed">
            {t('Deciding again from the record gives the same.')}
          </Text>
        )}
      </Stack>
    </Section>
  );
}

const place = ({ rank }: Candidate) => rank ?? Infinity;

function why({ verdict, rank }: Candidate): string {
  if (verdict === 'probe') return t('tried, to find out whether its provider is back');
  if (verdict === 'eligible') return rank === 0 ? t('first choice') : rank == null ? t('could have been used') : t('in reserve');
  return VERDICTS[verdict] ?? verdict;
}

/** What else was known of it then. */
function facts({ until, inFlight, lastUsed, failureRate, preference }: Candidate): string[] {
  return [
    ...(until ? [t('until {moment}', { moment: when(until) })] : []),
    ...(preference > 0 ? [t('preferred by a policy, place {place}', { place: preference })] : []),
    ...(inFlight == null ? [] : [t('requests at that time: {count}', { count: inFlight })]),
    ...(lastUsed ? [t('used last at {moment}', { moment: when(lastUsed) })] : []),
    ...(failureRate == null ? [] : [t('failed lately: {share}', { share: percent(failureRate) })]),
  ];
}

/** What the name of the model stood for. A model has no name of its own there: it is where it leads. */
function Tree({ group: { name, strategy, entries } }: { group: Group }) {
  const several = entries.length > 1;
  return (
    <div>
      <Text size="sm">{titleOf(name, strategy, several)}</Text>
      {(name || several) && <Entries entries={entries} />}
    </div>
  );
}

function titleOf(name: string | null | undefined, strategy: string, several: boolean): string {
  if (name) return t('Combo {name}: {strategy}', { name, strategy });
  return several ? t('One model, at several providers:') : t('A plain model.');
}

function Entries({ entries }: { entries: Entry[] }) {
  return (
    <List size="sm" type="ordered">
      {entries.map((entry, index) => (
        <List.Item key={index}>
          <Member entry={entry} />
        </List.Item>
      ))}
    </List>
  );
}

function Member({ entry }: { entry: Entry }) {
  const { group } = entry;
  if (!group) return <Target entry={entry} />;
  const [only, ...others] = group.entries;
  return !group.name && only && others.length === 0 ? <Member entry={only} /> : <Tree group={group} />;
}

function Target({ entry: { target, weight, uses, price } }: { entry: Entry }) {
  const provider = useProviderName();
  const [id, ...model] = (target ?? '').split('/');
  const known = [
    weight == null ? '' : t('weight {weight}', { weight }),
    uses == null ? '' : t('used {uses} times', { uses }),
    price == null ? '' : t('{price} per million tokens', { price: dollars(price) }),
  ].filter(Boolean);
  return (
    <>
      <Code>{[provider(id), ...model].join('/')}</Code> {known.join(', ')}
    </>
  );
}
