/** Work that a {@link WorkPool} runs. Its promise never rejects. */
export interface Work {
  run(): Promise<void>;
}

/** Runs a bounded number of jobs at one time; a bounded number more wait in order. */
export class WorkPool<W extends Work> {
  #running = 0;
  readonly #queue: W[] = [];

  constructor(
    private readonly size: number,
    private readonly queueSize: number,
  ) {}

  /** Whether another job would be taken. */
  get hasRoom(): boolean {
    return this.#running < this.size || this.#queue.length < this.queueSize;
  }

  /** Starts the job in a turn of its own, or queues it. Ask `hasRoom` first. */
  submit(work: W): void {
    if (this.#running < this.size) this.#start(work);
    else this.#queue.push(work);
  }

  /** Takes the jobs that have not begun. */
  dropQueued(): W[] {
    return this.#queue.splice(0);
  }

  #start(work: W): void {
    this.#running += 1;
    void Promise.resolve(work).then((job) => job.run()).then(this.#onDone);
  }

  readonly #onDone = (): void => {
    this.#running -= 1;
    const next = this.#queue.shift();
    if (next !== undefined) this.#start(next);
  };
}
