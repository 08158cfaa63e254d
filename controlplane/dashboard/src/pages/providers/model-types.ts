import type { components } from '../../api/schema';

/** A model that an operator added to a provider. */
export type CustomModel = components['schemas']['CustomModelView'];

/** What models are for, as the API calls it. */
export const MODEL_TYPES = ['chat', 'embedding', 'image', 'audio', 'audio-transcription', 'audio-speech', 'moderation', 'rerank'];
