export { waterfallPage } from './page.js';
export { waterfallSvg } from './svg.js';
