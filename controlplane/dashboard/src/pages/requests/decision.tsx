import { Alert, Code, List, Stack, Table, Text } from '@mantine/core';
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
  resting: 'passed over: it rests after a failure',
  'rate-limited': 'passed over: its provider takes no more for now',
  'breaker-open': 'passed over: its provider failed again and again',
  'not-permitted': 'passed over: the API key may not use it',
  'refused-by-policy': 'passed over: a policy refuses it',
};

/** Why this account and no other: everything that could have answered, and in which order it was tried. */
export function Decision({ explanation: { decision, replay } }: { explanation: Explanation }) {
  const provider = useProviderName();
  if (!decision)
    return (
      <Section title="Decision">
        <Text size="sm">There was nothing to choose: the request was answered or refused before.</Text>
      </Section>
    );
  const candidates = [...decision.candidates].sort((one, other) => place(one) - place(other) || one.number - other.number);
  return (
    <Section
      title="Decision"
      hint={`Among the accounts of one model: ${decision.accountStrategy}${decision.session ? ', and a conversation stays where it began' : ''}.`}
    >
      <Stack gap="sm">
        {decision.root && <Tree group={decision.root} />}
        <Table.ScrollContainer minWidth={620}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Place</Table.Th>
                <Table.Th>Account</Table.Th>
                <Table.Th>Model</Table.Th>
                <Table.Th>Why</Table.Th>
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
        {decision.omittedCandidates != null && <Text size="sm">And {decision.omittedCandidates} more that came later.</Text>}
        {replay && !replay.same && (
          <Alert color="red" title="Deciding again from the record gives something else">
            {replay.reason}
          </Alert>
        )}
        {replay?.same && (
          <Text size="xs" c="dimmed">
            Deciding again from the record gives the same.
          </Text>
        )}
      </Stack>
    </Section>
  );
}

const place = ({ rank }: Candidate) => rank ?? Infinity;

function why({ verdict, rank }: Candidate): string {
  if (verdict === 'probe') return 'tried, to find out whether its provider is back';
  if (verdict === 'eligible') return rank === 0 ? 'first choice' : rank == null ? 'could have been used' : 'in reserve';
  return VERDICTS[verdict] ?? verdict;
}

/** What else was known of it then. */
function facts({ until, inFlight, lastUsed, failureRate, preference }: Candidate): string[] {
  return [
    ...(until ? [`until ${when(until)}`] : []),
    ...(preference > 0 ? [`preferred by a policy, place ${preference}`] : []),
    ...(inFlight == null ? [] : [`requests at that time: ${inFlight}`]),
    ...(lastUsed ? [`used last at ${when(lastUsed)}`] : []),
    ...(failureRate == null ? [] : [`failed lately: ${percent(failureRate)}`]),
  ];
}

/** What the name of the model stood for. */
function Tree({ group }: { group: Group }) {
  return (
    <div>
      <Text size="sm">{group.name ? `Combo ${group.name}: ${group.strategy}` : 'A plain model.'}</Text>
      {group.name && (
        <List size="sm" type="ordered">
          {group.entries.map((entry, index) => (
            <List.Item key={index}>
              {entry.group ? <Tree group={entry.group} /> : <Target entry={entry} />}
            </List.Item>
          ))}
        </List>
      )}
    </div>
  );
}

function Target({ entry: { target, weight, uses, price } }: { entry: Entry }) {
  const provider = useProviderName();
  const [id, ...model] = (target ?? '').split('/');
  const known = [
    weight == null ? '' : `weight ${weight}`,
    uses == null ? '' : `used ${uses} times`,
    price == null ? '' : `${dollars(price)} per million tokens`,
  ].filter(Boolean);
  return (
    <>
      <Code>{[provider(id), ...model].join('/')}</Code> {known.join(', ')}
    </>
  );
}
