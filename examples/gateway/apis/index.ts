import { chat } from './chat.js';
import { completions } from './completions.js';
import { embeddings } from './embeddings.js';
import { messages } from './messages.js';
import { responses } from './responses.js';

export { messages };
export { BadRequest, type Api, type Body, type Finish } from './api.js';

/** Every API that the gateway speaks. */
export const APIS = [chat, completions, embeddings, responses, messages];
