export { monotonicMs, RateLimit, unixNanos } from './clock.js';
export { envInteger, isTruthy, type Environment } from './env.js';
export { TargetFilter } from './filter.js';
export { decided, guarded, reportFault, reportOnce } from './guard.js';
export { LEVELS, levelRank, parseLevel, type Level } from './level.js';
export { findPackage, needPackage } from './optional-package.js';
export { booleanOption, decisionOption, enumOption, functionOption, invalidOption, numberOption, optionalOption, readOptions, stringOption, type OptionReader, type OptionsOf } from './options.js';
export { randomHex } from './random.js';
export { VERSION } from './version.js';
