import createClient from 'openapi-fetch';
import { t } from '../i18n';
import type { paths } from './schema';

/** The management API, typed by its own OpenAPI document. */
export const api = createClient<paths>({ baseUrl: '/', credentials: 'same-origin' });

/** A refusal of the management API: what a person can read, and what support can search for. */
export class ApiFailure extends Error {
  constructor(
    /** 0 where nobody answered. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly correlationId: string | undefined,
    readonly details: { field: string; message: string }[],
  ) {
    super(message);
  }
}

type Envelope = {
  error?: { code?: string; message?: string; correlation_id?: string; details?: { field: string; message: string }[] };
};

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The data of an answer; throws ApiFailure for everything but success. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  return (await settle(answer)).data;
}

/** Like `unwrap`, with how far a configuration change has got: "2/2" data planes. */
export async function settle<T>(answer: Promise<Answer<T>>): Promise<{ data: T; applied: string | null }> {
  const { data, error, response } = await answer.catch(unreached);
  if (!response.ok) {
    const body = (error as Envelope | undefined)?.error;
    throw new ApiFailure(
      response.status,
      body?.code ?? `HTTP_${response.status}`,
      body?.message ?? t('The control plane answered {status}.', { status: response.status }),
      body?.correlation_id ?? response.headers.get('x-request-id') ?? undefined,
      body?.details ?? [],
    );
  }
  return { data: data as T, applied: response.headers.get('x-config-applied') };
}

/** A browser says of every address that it does not reach only that it does not, in its own words. */
function unreached(cause: unknown): never {
  throw cause instanceof TypeError ? new ApiFailure(0, 'NETWORK', t('The control plane cannot be reached.'), undefined, []) : cause;
}
