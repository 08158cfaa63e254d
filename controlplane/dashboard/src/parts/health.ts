import { api, unwrap } from '../api/client';
import type { components } from '../api/schema';

export type Health = components['schemas']['HealthView'];
export type HealthReport = components['schemas']['HealthReport'];

/** Without its database the gateway answers 503, and still says what works. */
async function read(): Promise<Health> {
  const answer = await api.GET('/api/monitoring/health');
  if (answer.error && 'status' in answer.error) return answer.error;
  return unwrap(Promise.resolve(answer));
}

/** How the gateway is, for whoever asks: all of it for those who are signed in, a word for others. */
export const healthQuery = { queryKey: ['health'], queryFn: read, refetchInterval: 5_000 };
