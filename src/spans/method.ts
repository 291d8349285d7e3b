/** The methods that the semantic conventions know; others could be anything. */
const METHODS: ReadonlySet<string> = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']);

/** A method as the semantic conventions write it; undefined for one that they do not know. */
export function knownMethod(method: string): string | undefined {
  const upper = method.toUpperCase();
  return METHODS.has(upper) ? upper : undefined;
}

/** `http.request.method`, and the method as it came where that is another text. */
export function methodAttributes(method: string): { 'http.request.method': string; 'http.request.method_original'?: string } {
  const known = knownMethod(method);
  return { 'http.request.method': known ?? '_OTHER', ...(known === method ? {} : { 'http.request.method_original': method }) };
}
