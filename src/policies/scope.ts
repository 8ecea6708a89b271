import type { Fault } from '#core/fault.ts';

/** What waits looks at this. A holder of a signal rather than the signal: most calls end before anybody needs one. */
export interface Stoppable {
  readonly signal: AbortSignal;
}

/**
 * One piece of work that can be stopped from outside: by its deadline, or with the larger work it is part of. The signal is
 * made when first asked for. Entry of one deadline queue at a time; those fields are the queue's alone.
 */
export class Scope implements Stoppable {
  readonly operation: string;
  /** The caller's own signal, by which the guard finds the calls to stop. */
  readonly caller: AbortSignal | undefined;
  deadlineMs = 0;
  queued = false;
  earlier: Scope | undefined;
  later: Scope | undefined;
  #fault: Fault | undefined;
  #controller: AbortController | undefined;
  #part: Scope | undefined;
  #reject: ((fault: Fault) => void) | undefined;

  constructor(operation: string, whole?: Scope, caller?: AbortSignal) {
    this.operation = operation;
    this.caller = caller;
    if (whole !== undefined) whole.#part = this; // one part at a time: a call makes its attempts one after the other
  }

  /** Why it was stopped. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#fault !== undefined) this.#controller.abort(this.#fault);
    }
    return this.#controller.signal;
  }

  /** The first reason counts; later ones are ignored. */
  stop(fault: Fault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    this.#controller?.abort(fault);
    this.#part?.stop(fault);
    this.#reject?.(fault);
  }

  /**
   * Settles like the work, or rejects the moment the scope is stopped, for work that does not heed its signal. `leave` is
   * called when the work has ended or the scope is stopped, perhaps for both. One promise and no `await`: every call pays for it twice.
   */
  race<T>(work: (scope: Scope) => Promise<T>, leave: (scope: Scope) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (thrown: unknown): void => {
        leave(this);
        // What work threw goes on as it is; the guard makes a Fault of it.
        reject(thrown as Error);
      };
      try {
        const running = work(this);
        this.#reject = fail;
        if (this.#fault !== undefined) fail(this.#fault);
        // Both stay attached: what comes after a stop is swallowed, never an unhandled rejection.
        running.then((value) => {
          leave(this);
          resolve(value);
        }, fail);
      } catch (thrown) {
        fail(thrown);
      }
    });
  }
}
