/** The page's path. */
export const page: string;
/** The page's text with its tables filled in. */
export function render(text: string): string;
