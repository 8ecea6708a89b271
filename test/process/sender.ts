// Sends events to an append server from several workers at once, and writes down outside of it what was acknowledged.

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { eventOf, keyOf, SENT } from './known-event.ts';

export interface SenderOptions {
  readonly ledgerFile: string;
  readonly workers?: number;
  readonly textBytes?: number;
  /** Distinguishes the keys of several senders. */
  readonly name?: string;
}

interface Sent {
  readonly key: string;
  readonly version: number;
}

const KEYS_PER_WORKER = 5;
const EVENTS_PER_REQUEST_MAX = 3;
const REFUSED_WAIT_MS = 20;
const REQUEST_MS_MAX = 30_000;
const LOST_CONNECTIONS_MAX = 5;
const NEVER = new AbortController().signal;

/**
 * Each worker has keys of its own and sends the next version of one only after the one before was acknowledged, so that the order of a
 * key's events is known. What was not acknowledged is sent again, to whichever server comes next.
 */
export class Sender {
  /** Answers by status; 0: no answer. */
  readonly answers = new Map<number, number>();
  /** Acknowledgements whose body did not arrive whole. */
  cutOff = 0;
  readonly #options: Required<SenderOptions>;
  readonly #ledger: number;
  readonly #pending: Sent[][];
  readonly #versions = new Map<string, number>();
  #turn = 0;

  constructor(options: SenderOptions) {
    this.#options = { workers: 6, textBytes: 300, name: 'w', ...options };
    this.#ledger = openSync(options.ledgerFile, 'a');
    this.#pending = Array.from({ length: this.#options.workers }, () => []);
  }

  /** Sends until `stop` aborts or the server is gone. */
  async send(url: string, stop: AbortSignal): Promise<void> {
    await Promise.all(
      this.#pending.map(async (_, worker) => {
        while (!stop.aborted && (await this.#request(url, worker, stop)));
      }),
    );
  }

  /** Sends again what was not acknowledged, until it is. */
  async finish(url: string): Promise<void> {
    await Promise.all(
      this.#pending.map(async (_, worker) => {
        for (let lost = 0; this.#pending[worker]?.length !== 0;) {
          if (await this.#request(url, worker, NEVER)) continue;
          lost += 1; // connections that a server closed while nobody used them; more than a few: it is gone
          if (lost > LOST_CONNECTIONS_MAX) throw new Error('the server went away before everything was acknowledged');
        }
      }),
    );
  }

  /** Ids of everything acknowledged so far, as it stands on disk. */
  ledger(): Set<string> {
    return new Set(this.acknowledged().map(({ key, version }) => eventOf(SENT, key, version).event.id));
  }

  acknowledged(): Sent[] {
    const lines = readFileSync(this.#options.ledgerFile, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [key = '', version = ''] = line.split(' ');
      return { key, version: Number(version) };
    });
  }

  close(): void {
    closeSync(this.#ledger);
  }

  /** False: the server is gone. */
  async #request(url: string, worker: number, stop: AbortSignal): Promise<boolean> {
    const wanted = this.#pending[worker]?.length === 0 ? this.#next(worker) : (this.#pending[worker] ?? []);
    this.#pending[worker] = wanted;
    const answer = await fetch(url, {
      method: 'POST',
      body: JSON.stringify(wanted.map(({ key, version }) => [key, version])),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    }).catch(() => undefined);
    this.answers.set(answer?.status ?? 0, (this.answers.get(answer?.status ?? 0) ?? 0) + 1);
    if (answer === undefined) return false;
    const whole = await answer.json().then(
      () => true,
      () => false,
    );
    if (answer.status !== 202) {
      await new Promise((resolve) => setTimeout(resolve, REFUSED_WAIT_MS));
      return !stop.aborted;
    }
    // The head alone says that it is stored.
    writeSync(this.#ledger, wanted.map(({ key, version }) => `${key} ${version}\n`).join(''));
    this.#pending[worker] = [];
    if (!whole) this.cutOff += 1;
    return whole;
  }

  #next(worker: number): Sent[] {
    this.#turn += 1;
    const { name, textBytes } = this.#options;
    return Array.from({ length: 1 + (this.#turn % EVENTS_PER_REQUEST_MAX) }, (_, index) => {
      const key = keyOf(`${name}${worker}-k${(this.#turn + index) % KEYS_PER_WORKER}`, textBytes);
      const version = (this.#versions.get(key) ?? 0) + 1;
      this.#versions.set(key, version);
      return { key, version };
    });
  }
}
