/** The one of `patterns` (`/items/:id`) that a request target fits. */
export function routeOf(patterns: readonly string[], url = '/'): string | undefined {
  const path = new URL(url, 'http://localhost').pathname;
  return patterns.find((pattern) => new RegExp(`^${pattern.replace(/:\w+/g, '[^/]+')}$`).test(path));
}
