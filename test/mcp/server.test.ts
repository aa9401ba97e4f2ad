/** What a server does with a call whose time has passed before it began. */
import { expect, test } from "bun:test";
import { CliError } from "../../src/errors.ts";
import { FrameReader } from "../../src/mcp/frames.ts";
import { Pin } from "../../src/mcp/pin.ts";
import { Server } from "../../src/mcp/server.ts";
import type { Tool } from "../../src/mcp/tools.ts";
import { Collector, testContext } from "../support/forms.ts";
import { meta } from "./peer.ts";

test("R20 a call that arrives with the end of the input is not carried out", async () => {
  const tools = Promise.withResolvers<readonly Tool[]>();
  const stderr = { write: async () => undefined };
  let orders = 0;
  const tool: Tool = {
    ...{ name: "requests_create", isAct: true, definition: {} },
    order() {
      orders += 1;
      throw new CliError("INVALID_ARGUMENT", { message: "It was not to be asked." });
    },
  };
  const [stdout, errors] = [new Collector(), new Collector()];
  const server = new Server({
    context: testContext({ env: {}, stdin: undefined, stdout, stderr: errors }),
    ...{ debug: false, asksPerson: false, pin: new Pin(), stderr },
    registry: () => Promise.reject(new Error("not asked")),
    tools: () => tools.promise,
    instructions: async () => "",
    load: async () => undefined,
    send: () => undefined,
  });
  const params = { name: tool.name, arguments: {}, ...meta() };
  const line = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  for (const frame of new FrameReader().read(Buffer.from(`${line}\n`))) server.accept(frame);
  await server.close();
  tools.resolve([tool]);
  // Nothing of it waits for anything but turns of the event loop.
  await Bun.sleep(100);
  expect(orders).toBe(0);
});
