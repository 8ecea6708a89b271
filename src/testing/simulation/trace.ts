/** What happened, in order, as a hash of constant size and the newest lines for people. Two runs of one seed give the same hash. */
export class Trace {
  readonly #linesMax: number;
  readonly lines: string[] = [];
  #a = 0x9e3779b9;
  #b = 0x243f6a88;
  #count = 0;

  constructor(linesMax = 400) {
    this.#linesMax = linesMax;
  }

  add(line: string): void {
    for (let index = 0; index < line.length; index += 1) {
      const unit = line.charCodeAt(index);
      this.#a = Math.imul(this.#a ^ unit, 0x85ebca6b) ^ (this.#b >>> 13);
      this.#b = Math.imul(this.#b ^ unit, 0xc2b2ae35) ^ (this.#a >>> 16);
    }
    this.#count += 1;
    this.lines.push(line);
    if (this.lines.length > 2 * this.#linesMax) this.lines.splice(0, this.#linesMax);
  }

  get hash(): string {
    return `${this.#count}-${(this.#a >>> 0).toString(16)}-${(this.#b >>> 0).toString(16)}`;
  }
}
