/** Work that a {@link WorkPool} runs. Its promise never rejects. */
export interface Work {
  run(): Promise<void>;
}

/** Runs a bounded number of jobs at one time; a bounded number more wait in order. */
export class WorkPool<W extends Work> {
  #running = 0;
  #queue: W[] = [];
  /** Where the queue begins: taking the first of an array of thousands moves all the others. */
  #head = 0;

  constructor(
    private readonly size: number,
    private readonly queueSize: number,
  ) {}

  /** Whether another job would be taken. */
  get hasRoom(): boolean {
    return this.#running < this.size || this.#queue.length - this.#head < this.queueSize;
  }

  /** Starts the job in a turn of its own, or queues it. Ask `hasRoom` first. */
  submit(work: W): void {
    if (this.#running < this.size) this.#start(work);
    else this.#queue.push(work);
  }

  /** Takes the jobs that have not begun. */
  dropQueued(): W[] {
    const left = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    return left;
  }

  #start(work: W): void {
    this.#running += 1;
    void Promise.resolve(work).then((job) => job.run()).then(this.#onDone);
  }

  readonly #onDone = (): void => {
    this.#running -= 1;
    const next = this.#queue[this.#head];
    if (next === undefined) return;
    this.#head += 1;
    if (this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#start(next);
  };
}
