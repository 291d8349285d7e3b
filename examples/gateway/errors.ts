/** An answer other than 200, in the words of the gateway's contract. */
export class HttpError extends Error {
  readonly expose = true;

  constructor(readonly status: number, message: string) {
    super(message);
  }
}
