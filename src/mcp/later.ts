/** A value that another part of the program sets later. Node 20 has no `Promise.withResolvers`. */
export class Later<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}
