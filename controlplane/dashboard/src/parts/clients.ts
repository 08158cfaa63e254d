import { t } from '../i18n';

/** What a client needs to know: where the gateway is, without a path; its key; the model to name. */
export type Caller = { origin: string; apiKey: string; model: string };

export type Client = {
  id: string;
  name: string;
  /** Where the text goes. */
  where: string;
  write: (caller: Caller) => string;
};

/** Stands for a key nobody can show any more. */
export const SOME_KEY = '$OMNIROUTE_KEY';

/** A text between double quotes; JSON's rules are those of Python, JavaScript and TOML for anything one may write here. */
const quoted = (text: string) => JSON.stringify(text);

/** One word of a shell, with nothing in it that the shell would read. A placeholder stays a variable. */
const word = (text: string) => (text === SOME_KEY ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`);

export const clients: Client[] = [
  {
    id: 'curl',
    name: 'curl',
    where: t('In a terminal.'),
    write: ({ origin, apiKey, model }) => {
      const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
      const authorization = apiKey === SOME_KEY ? `"Authorization: Bearer ${apiKey}"` : word(`Authorization: Bearer ${apiKey}`);
      return `curl ${origin}/v1/chat/completions \\\n  -H ${authorization} \\\n  -H 'Content-Type: application/json' \\\n  -d ${word(body)}`;
    },
  },
  {
    id: 'python',
    name: 'Python',
    where: t('With the OpenAI SDK: pip install openai.'),
    write: ({ origin, apiKey, model }) =>
      `from openai import OpenAI

client = OpenAI(base_url=${quoted(`${origin}/v1`)}, api_key=${quoted(apiKey)})
answer = client.chat.completions.create(
    model=${quoted(model)},
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
  },
  {
    id: 'javascript',
    name: 'JavaScript',
    where: t('With the OpenAI SDK: npm install openai. The file ends in .mjs.'),
    write: ({ origin, apiKey, model }) =>
      `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: ${quoted(`${origin}/v1`)}, apiKey: ${quoted(apiKey)} });
const answer = await client.chat.completions.create({
  model: ${quoted(model)},
  messages: [{ role: 'user', content: 'Hello' }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: 'claude',
    name: 'Claude Code',
    where: t('In a terminal, for this session. The page CLI tools writes it into the settings for good.'),
    write: ({ origin, apiKey, model }) =>
      [
        `export ANTHROPIC_BASE_URL=${word(origin)}`,
        `export ANTHROPIC_AUTH_TOKEN=${word(apiKey)}`,
        ...['OPUS', 'SONNET', 'HAIKU'].map((size) => `export ANTHROPIC_DEFAULT_${size}_MODEL=${word(model)}`),
        'claude',
      ].join('\n'),
  },
  {
    id: 'codex',
    name: 'Codex',
    where: t('In ~/.codex/config.toml, at its beginning; the key goes into the environment, as OMNIROUTE_KEY.'),
    write: ({ origin, model }) =>
      `model = ${quoted(model)}
model_provider = "omniroute"

[model_providers.omniroute]
name = "OmniRoute"
base_url = ${quoted(`${origin}/v1`)}
wire_api = "responses"
env_key = "OMNIROUTE_KEY"`,
  },
  {
    id: 'cursor',
    name: 'Cursor',
    where: t('In Cursor’s settings, under Models. Cursor calls from its own servers: they must reach this address.'),
    write: ({ origin, apiKey, model }) => `OpenAI API Key            ${apiKey}\nOverride OpenAI Base URL  ${origin}/v1\nAdd custom model          ${model}`,
  },
];
