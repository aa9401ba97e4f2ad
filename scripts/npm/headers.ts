/**
 * `Headers` without the rest of Node's own fetch, whose loading takes as long as the start of Node:
 * what ofetch and the client need of it.
 */
type Init = HeaderList | Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Names are lower case; values of one name are joined by a comma. */
export class HeaderList implements Iterable<[string, string]> {
  private readonly values = new Map<string, string>();

  constructor(init: Init = []) {
    const entries = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of entries as Iterable<readonly [string, string]>)
      this.append(name, value);
  }

  /** Throws TypeError for a name that is not a token; the name is not quoted (SEC-3). */
  append(name: string, value: string): void {
    const before = this.get(name);
    this.set(name, before === null ? value : `${before}, ${value}`);
  }

  set(name: string, value: string): void {
    if (!NAME.test(name)) throw new TypeError("A header's name is not valid.");
    this.values.set(name.toLowerCase(), String(value).trim());
  }

  get(name: string): string | null {
    return this.values.get(name.toLowerCase()) ?? null;
  }

  has(name: string): boolean {
    return this.values.has(name.toLowerCase());
  }

  delete(name: string): void {
    this.values.delete(name.toLowerCase());
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.values[Symbol.iterator]();
  }
}
