import type { Environment } from './env.js';
import { levelRank, parseLevel, type Level } from './level.js';

/** Targets whose decision is kept, and how long they may be. More than an app has: a logger's target may hold what a caller sent. */
const MAX_KEPT = 1000;
const MAX_KEPT_LENGTH = 256;

/**
 * Which targets are enabled at which level, read from DYN_LOG: directives `level` or `target=level` between commas. The most
 * specific target wins, among equals the later one; a target that no directive covers is off. Unlike Dynamo's, matching
 * stops at segment borders (`foo` covers `foo::bar`, `foo.bar` and `foo/bar`, not `foobar`) and a `request_span=` of the user wins over
 * the built-in `request_span=trace`.
 */
export class TargetFilter {
  readonly #rules: readonly Rule[];
  readonly #ranks = new Map<string, number>();
  /** Pieces that could not be read; the caller warns about them. */
  readonly rejected: readonly string[];

  constructor(directives: string, fallback: Level | 'off' = 'info') {
    const rejected: string[] = [];
    const user = directives.split(',').map((piece) => piece.trim()).filter((piece) => piece !== '').flatMap((piece) => {
      const rule = parseDirective(piece);
      if (rule === undefined) rejected.push(piece);
      return rule ?? [];
    });
    this.#rules = [...BUILT_IN, ...(user.length > 0 ? user : [{ target: '', rank: levelRank(fallback) }])];
    this.rejected = rejected;
  }

  static fromEnv(env: Environment): TargetFilter {
    return new TargetFilter(env['DYN_LOG'] ?? '');
  }

  /** Whether something of this level from this target is enabled. Decisions are kept: one map look-up when hot. */
  enabled(target: string, level: Level): boolean {
    let threshold = this.#ranks.get(target);
    if (threshold === undefined) {
      threshold = this.#resolve(target);
      if (target.length <= MAX_KEPT_LENGTH) this.#keep(target, threshold);
    }
    return levelRank(level) >= threshold;
  }

  #keep(target: string, threshold: number): void {
    if (this.#ranks.size >= MAX_KEPT) this.#ranks.clear();
    this.#ranks.set(target, threshold);
  }

  /** Decisions that are kept now. */
  get kept(): number {
    return this.#ranks.size;
  }

  #resolve(target: string): number {
    let best: Rule = { target: '', rank: levelRank('off') };
    for (const rule of this.#rules) if (covers(rule.target, target) && rule.target.length >= best.target.length) best = rule;
    return best.rank;
  }
}

interface Rule {
  readonly target: string;
  readonly rank: number;
}

const BUILT_IN: readonly Rule[] = [{ target: 'request_span', rank: levelRank('trace') }];

/** One directive; a bare word that is no level is a target enabled at every level, as in Rust's tracing. */
function parseDirective(piece: string): Rule | undefined {
  const [left = '', right, ...more] = piece.split('=').map((part) => part.trim());
  if (more.length > 0 || !/^[\w:./-]+$/.test(left)) return undefined;
  if (right === undefined) {
    const level = parseLevel(left);
    return level === undefined ? { target: left, rank: levelRank('trace') } : { target: '', rank: levelRank(level) };
  }
  const level = parseLevel(right);
  return level === undefined ? undefined : { target: left, rank: levelRank(level) };
}

function covers(rule: string, target: string): boolean {
  if (rule === '' || rule === target) return true;
  if (!target.startsWith(rule)) return false;
  const next = target[rule.length];
  return next === ':' || next === '.' || next === '/';
}
