const MAX_BOUNDARY_LENGTH = 70;
/** Of a part's head; and of a field's value. */
const MAX_HEAD = 1024;
const MAX_VALUE = 256;
const HEAD_END = '\r\n\r\n';

/** The boundary of a `multipart/form-data` content type; undefined for any other. */
export function formBoundary(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^\s*multipart\/form-data\s*;/i.test(contentType)) return undefined;
  const found = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2];
  return boundary !== undefined && boundary.length <= MAX_BOUNDARY_LENGTH ? boundary : undefined;
}

/**
 * Finds text fields of a form in its bytes, cut anywhere, before or behind files of any size. Between the fields it keeps no more than
 * could be the beginning of a boundary.
 */
export class FormScanner {
  /** The values found so far, at most 256 characters each; of several the first counts. */
  readonly fields = new Map<string, string>();
  readonly #delimiter: string;
  /** What is not read yet, one character for each byte. A form begins with its boundary, as if a line end stood before. */
  #rest = '\r\n';

  constructor(boundary: string, private readonly names: readonly string[]) {
    this.#delimiter = `\r\n--${boundary}`;
  }

  push(chunk: Buffer): void {
    if (this.fields.size === this.names.length) return;
    // Most pieces are the inside of a file: those are searched as bytes.
    if (this.#rest.length < this.#delimiter.length && !this.#rest.includes('\r') && chunk.indexOf('\r') === -1) {
      this.#rest = '';
      return;
    }
    this.#rest += chunk.toString('latin1');
    for (;;) {
      const start = this.#rest.indexOf(this.#delimiter);
      if (start === -1) return this.#keep(this.#rest.length - this.#delimiter.length + 1);
      const head = start + this.#delimiter.length;
      // No further than a head may be long: of many parts without an end each would be searched to the end of the piece.
      const near = this.#rest.slice(head, head + MAX_HEAD + HEAD_END.length);
      const headLength = near.indexOf(HEAD_END);
      if (headLength === -1 && near.length < MAX_HEAD + HEAD_END.length) return this.#keep(start);
      const name = headLength === -1 ? undefined : this.#wanted(near.slice(0, headLength));
      if (name === undefined) {
        this.#keep(head);
        continue;
      }
      const value = head + headLength + HEAD_END.length;
      const end = this.#rest.indexOf(this.#delimiter, value);
      if (end === -1 && this.#rest.length - value <= MAX_VALUE + this.#delimiter.length) return this.#keep(start);
      if (end !== -1 && end - value <= MAX_VALUE) this.fields.set(name, Buffer.from(this.#rest.slice(value, end), 'latin1').toString('utf8'));
      this.#keep(end === -1 ? value : end);
    }
  }

  /** The name of a text field that is looked for, by the head of its part. */
  #wanted(head: string): string | undefined {
    const disposition = /\r\ncontent-disposition:([^\r\n]*)/i.exec(head)?.[1];
    if (disposition === undefined || /;\s*filename\*?=/i.test(disposition)) return undefined;
    const found = /;\s*name="?([^";]*)"?/i.exec(disposition)?.[1];
    return found !== undefined && this.names.includes(found) && !this.fields.has(found) ? found : undefined;
  }

  /** What stands before `from` has been read. */
  #keep(from: number): void {
    if (from > 0) this.#rest = this.#rest.slice(from);
  }
}
