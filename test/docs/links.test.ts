import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import pkg from '../../package.json';

const ROOT = join(__dirname, '..', '..');
const PAGES = [...readdirSync(ROOT), ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((name) => name.endsWith('.md'));

/** A heading's anchor as GitHub and npm make it. */
const anchorOf = (heading: string): string => heading.toLowerCase().replace(/[^\p{Letter}\p{Number}\s_-]/gu, '').trim().replace(/\s/g, '-');

/** The page without its blocks of code, where `#` begins a comment and brackets are code. */
const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8').replace(/^```[^]*?^```/gm, '');

function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>();
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => {
    const anchor = anchorOf(heading!);
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

describe.each(PAGES)('%s', (page) => {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(([, link, image]) => link ?? image!).filter((link) => !/^[a-z]+:/.test(link));

  test('every link leads to a file, and to a heading where it names one', () => {
    expect(links.filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : relative(ROOT, join(ROOT, dirname(page), file));
      return !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    })).toEqual([]);
  });
});

describe('package.json', () => {
  test('homepage and bugs are those of the repository, so that they change together', () => {
    const repository = pkg.repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
    expect(pkg).toMatchObject({ homepage: `${repository}#readme`, bugs: `${repository}/issues` });
  });
});
