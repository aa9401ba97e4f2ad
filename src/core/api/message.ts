/** The body of a request on its way out. */
import type { Exact } from "../../io/json.ts";
import { type SendingTime, tooLate } from "../sending.ts";

/** The body of a request, and whether it left. */
export interface Message {
  readonly init: { readonly body?: ReadableStream<Uint8Array>; readonly duplex?: "half" };
  readonly headers: Readonly<Record<string, string>>;
  /** True once an open connection took the body; undefined when there is none. */
  handedOver(): boolean | undefined;
  /** True when the body was asked for after its time, and not given. */
  isLate(): boolean;
}

/**
 * A body that is read once, and not before there is a connection to write it to: that it was read
 * is the evidence that the server may act (NET-6). After status 421, and on a connection that
 * breaks, a runtime's fetch could send any other body a second time by itself.
 */
export function messageOf(document: Exact | undefined, time?: SendingTime): Message {
  if (document === undefined)
    return { init: {}, headers: {}, handedOver: () => undefined, isLate: () => false };
  const bytes = new TextEncoder().encode(document.text);
  let isTaken = false;
  let isLate = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        isLate = time?.isOver === true;
        if (isLate) return controller.error(tooLate());
        isTaken = true;
        controller.enqueue(bytes);
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return {
    init: { body, duplex: "half" },
    headers: { "content-length": String(bytes.length) },
    handedOver: () => isTaken,
    isLate: () => isLate,
  };
}
