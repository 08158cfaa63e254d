import { Button, Card, Group, Stepper } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconHeartbeat, IconKey, IconLock, IconPlugConnected } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { t } from '../i18n';
import { Needs } from '../parts/authority';
import { callableModelsQuery } from '../parts/callable-models';
import { Loaded, PageHeader } from '../parts/states';
import { KeyStep, type MadeKey } from './setup/key';
import { PasswordStep } from './setup/password';
import { ProviderStep } from './setup/provider';
import { type Progress, STEPS, type Step, firstOpen, setupQuery, skip } from './setup/state';
import { WatchStep } from './setup/watch';

const WORDS: Record<Step, { label: string; icon: typeof IconKey }> = {
  password: { label: t('Password'), icon: IconLock },
  provider: { label: t('Provider'), icon: IconPlugConnected },
  key: { label: t('Key'), icon: IconKey },
  watch: { label: t('First request'), icon: IconHeartbeat },
};

/** From nothing to the first request. Every step stands by itself, so one can leave and come back. */
export function SetupPage() {
  const query = useQuery(setupQuery);
  const navigate = useNavigate();
  function leave() {
    skip();
    void navigate({ to: '/' });
  }
  return (
    <>
      <PageHeader
        title={t('Set up')}
        hint={t('From nothing to the first request, in a few minutes.')}
        action={
          <Button variant="default" onClick={leave}>
            {t('Skip for now')}
          </Button>
        }
      />
      <Needs role="admin">
        <Loaded query={query}>{(progress) => <Steps progress={progress} onDone={leave} />}</Loaded>
      </Needs>
    </>
  );
}

function Steps({ progress, onDone }: { progress: Progress; onDone: () => void }) {
  const navigate = useNavigate();
  const asked = useSearch({ from: '/frame/setup' }).step;
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  // whether it is needed is decided once: it must not vanish under the person who has just done it
  const [steps] = useState(() => STEPS.filter((step) => step !== 'password' || progress.hasDrawnPassword));
  const [opening] = useState(() => firstOpen(progress));
  const step = asked && steps.includes(asked) ? asked : opening;
  const [made, setMade] = useState<MadeKey | null>(null);
  const [chosen, setModel] = useState<string | null>(null);
  const callable = useQuery(callableModelsQuery);
  const model = chosen ?? callable.data?.[0] ?? 'provider/model';

  const go = (to: Step) => void navigate({ to: '/setup', search: { step: to } });
  const next = () => {
    const after = steps[steps.indexOf(step) + 1];
    if (after) go(after);
    else onDone();
  };
  return (
    <Card withBorder maw={860}>
      <Stepper
        active={steps.indexOf(step)}
        onStepClick={(at) => go(steps[at] ?? step)}
        size="sm"
        wrap={false}
        // a phone has room for the signs, and the heading below says which step it is
        styles={narrow ? { stepBody: { display: 'none' } } : undefined}
        mb="lg"
      >
        {steps.map((name) => {
          const { label, icon: Icon } = WORDS[name];
          return (
            <Stepper.Step
              key={name}
              label={label}
              icon={<Icon size={16} />}
              aria-label={t('Step {name} of {length}: {label}', { name: steps.indexOf(name) + 1, length: steps.length, label })}
              aria-current={name === step ? 'step' : undefined}
            />
          );
        })}
      </Stepper>
      {step === 'password' && <PasswordStep onNext={next} />}
      {step === 'provider' && <ProviderStep onModel={setModel} onNext={next} />}
      {step === 'key' && <KeyStep model={model} made={made} onMade={setMade} onNext={next} />}
      {step === 'watch' && <WatchStep model={model} made={made} />}
      {step === 'watch' && (
        <Group mt="lg">
          <Button variant="default" onClick={onDone}>
            {t('To the overview')}
          </Button>
        </Group>
      )}
    </Card>
  );
}
