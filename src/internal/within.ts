/** Whether `done` has settled before the time is over and before the signal. It must not reject. */
export async function within(ms: number, done: Promise<unknown>, signal?: AbortSignal): Promise<boolean> {
  let stop = (): void => undefined;
  const over = new Promise<false>((resolve) => {
    stop = () => resolve(false);
  });
  const timer = setTimeout(stop, ms);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted === true) stop();
  const isDone = await Promise.race([done.then(() => true), over]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop);
  return isDone;
}
