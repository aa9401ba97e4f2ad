#!/usr/bin/env node
// biome-ignore-all lint/suspicious/noVar: any Node must be able to read this
// biome-ignore-all lint/style/useTemplate: the same
// The npm package's command. Its first task is to refuse a Node that cannot run the rest.
"use strict";

var MINIMUM = 22;

function ignore() {}

function refuse(message) {
  var failure = {
    code: "RUNTIME_UNSUPPORTED",
    message: message,
    exitCode: 1,
    retryable: false,
    hint: "Install a newer Node.js, or use the standalone executable, which needs none.",
  };
  // Lost output is no reason for a trace.
  process.stdout.on("error", ignore);
  process.stdout.write(JSON.stringify({ error: failure }) + "\n");
  process.exitCode = failure.exitCode;
}

if (parseInt(process.versions.node, 10) >= MINIMUM) require("./start.cjs").start(__dirname);
else
  refuse(
    "This program needs Node.js " + MINIMUM + " or newer; this is " + process.versions.node + ".",
  );
