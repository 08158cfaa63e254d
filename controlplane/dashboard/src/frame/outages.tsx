import { Alert, Anchor, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { t } from '../i18n';
import { ApiFailure } from '../api/client';
import { healthQuery } from '../parts/health';
import { gatewayOutages } from '../parts/outages';

/** Above every page: what of the gateway does not work, for as long as that is so. */
export function Outages() {
  const { data, error } = useQuery(healthQuery);
  // an answer, whatever it says, is from somebody who can be reached
  const unreachable = error !== null && !(error instanceof ApiFailure && error.status > 0);
  const outages = gatewayOutages(data, unreachable);
  if (outages.length === 0) return null;
  return (
    <Alert role="alert" color="red" mb="md" icon={<IconAlertTriangle />} title={t('The gateway is not whole')}>
      {outages.map((outage) => (
        <Text size="sm" key={outage}>
          {outage}
        </Text>
      ))}
      <Anchor component={Link} to="/health" size="sm" underline="always" c="var(--mantine-color-text)">
        {t('Health')}
      </Anchor>
    </Alert>
  );
}
