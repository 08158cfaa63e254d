import type { components } from '../../api/schema';
import { type Whereabouts, nowhere } from './credential-fields';
import { type OnDisconnect, policyOf } from './disconnect';
import { type Catalog, type Connection, nameOf } from './groups';

type Body = components['schemas']['ConnectionUpdate'];

/** What a form says about a stored connection. Its key is never shown: an empty one stays what it is. */
export type ConnectionValues = Whereabouts & { name: string; apiKey: string; defaultModel: string; baseUrl: string; allowPrivateAddress: boolean; onDisconnect: OnDisconnect };

const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function valuesOf(connection: Connection): ConnectionValues {
  const data = connection.providerSpecificData as Record<string, unknown>;
  return {
    ...nowhere,
    name: nameOf(connection),
    apiKey: '',
    defaultModel: connection.defaultModel ?? '',
    baseUrl: text(data.baseUrl),
    region: text(data.region),
    project: text(data.project),
    allowPrivateAddress: connection.allowPrivateAddress,
    onDisconnect: policyOf(connection),
  };
}

/** Only what somebody changed. What was emptied is taken back, where it can be. */
export function changesOf(values: ConnectionValues, before: ConnectionValues, entry: Catalog[string] | undefined): Body {
  const changed = (name: keyof ConnectionValues) => values[name] !== before[name];
  const places = ['baseUrl', ...(entry?.fields ?? [])].filter((name): name is 'baseUrl' | keyof Whereabouts => name in values);
  const data = {
    ...Object.fromEntries(places.filter(changed).map((name) => [name, values[name].trim() || null])),
    ...(changed('onDisconnect') && { onDisconnect: values.onDisconnect }),
  };
  return {
    ...(changed('name') && { name: values.name.trim() }),
    ...(values.apiKey && { apiKey: values.apiKey }),
    ...(changed('defaultModel') && { defaultModel: values.defaultModel.trim() || null }),
    ...(changed('allowPrivateAddress') && { allowPrivateAddress: values.allowPrivateAddress }),
    ...(Object.keys(data).length > 0 && { providerSpecificData: data }),
  };
}
