import { t } from '../../i18n';
import type { components } from '../../api/schema';

type Tool = components['schemas']['CliToolView'];

const NAMES: Record<string, string> = {
  claude: 'Claude Code',
  codex: 'Codex',
  droid: 'Droid',
  openclaw: 'OpenClaw',
  cursor: 'Cursor',
  cline: 'Cline',
  kilo: 'Kilo Code',
  continue: 'Continue',
};

export const nameOf = (id: string) => NAMES[id] ?? id;

const REASONS: Record<string, string> = {
  remote_control_plane: t('not looked for'),
  not_required: t('nothing to install'),
  not_found: t('not found'),
  not_executable: t('cannot be run'),
  healthcheck_failed: t('does not start'),
  missing_command: t('no command'),
  unknown_tool: t('unknown'),
};

/** What is known of a tool, in words. */
export function standing({ installed, runnable, reason }: Tool): { label: string; color: string } {
  if (installed && runnable) return { label: t('installed'), color: 'teal' };
  return { label: REASONS[reason] ?? reason, color: 'gray' };
}

/** The four that a script can be made for; the others are told by hand. */
export const SCRIPTED = ['claude', 'codex', 'droid', 'openclaw'];

type Settings = components['schemas']['CliToolSettings'];
export type Wanted = { baseUrl: string; apiKey: string; model: string; opus: string; haiku: string };

/** As the management API takes it: Claude Code is told by variables, the others by address, key and model. */
export function settingsOf(toolId: string, { baseUrl, apiKey, model, opus, haiku }: Wanted): Settings {
  if (toolId !== 'claude') return { baseUrl, model, ...(apiKey && { apiKey }) };
  return {
    env: {
      ANTHROPIC_BASE_URL: baseUrl,
      ANTHROPIC_AUTH_TOKEN: apiKey,
      ANTHROPIC_DEFAULT_SONNET_MODEL: model,
      ANTHROPIC_DEFAULT_OPUS_MODEL: opus || model,
      ANTHROPIC_DEFAULT_HAIKU_MODEL: haiku || model,
    },
  };
}

/** Where the API puts its remarks, by the fields of the form. */
export const FIELDS: Record<string, keyof Wanted> = {
  baseUrl: 'baseUrl',
  apiKey: 'apiKey',
  model: 'model',
  'env.ANTHROPIC_BASE_URL': 'baseUrl',
  'env.ANTHROPIC_AUTH_TOKEN': 'apiKey',
  'env.ANTHROPIC_DEFAULT_SONNET_MODEL': 'model',
  'env.ANTHROPIC_DEFAULT_OPUS_MODEL': 'opus',
  'env.ANTHROPIC_DEFAULT_HAIKU_MODEL': 'haiku',
};
