import { neighbour } from './support/neighbour.mjs';

neighbour('undici.request() with the request as its body', { app: 'undici-proxy.mjs', upstreamIds: true });
